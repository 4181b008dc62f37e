"""Test mails: one contact's mail to oneself or colleagues, marked, with inert links; no state changes."""

from collections.abc import Mapping, Sequence
from typing import Any

from serienmail.domain.address import address_key
from serienmail.domain.delivery import Answer
from serienmail.domain.errors import InvalidOrder
from serienmail.mailing.letter import specimen
from serienmail.mailing.template import check_placeholders
from starter.services import Services

MARK = "[Test] "


async def send_test_mails(
    services: Services, template: str, account: str, contact: Mapping[str, Any], to: Sequence[str]
) -> dict[str, Answer]:
    """Send this contact's mail to each address instead; the answers. TransportFailure if the server can't be had."""
    if unusable := [address for address in to if address_key(address) is None]:
        raise InvalidOrder(f"'{unusable[0]}' is no mail address; correct it.")
    ref = await services.templates.newest(template)
    check_placeholders(await services.templates.get(ref), await services.contacts.fields())
    office = services.post_office
    post = await office.post(str(ref), account, follow_up=False, mark=MARK)
    sender = office.account(account).from_address
    return {address: await post.deliver(specimen(contact, address, sender)) for address in to}
