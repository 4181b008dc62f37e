"""Test mails: one contact's mail to oneself or colleagues, marked, with inert links; no state changes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from serienmail.domain.address import address_key
from serienmail.domain.contact import CONTACTS
from serienmail.domain.delivery import Answer
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.template import Template
from serienmail.mailing.letter import specimen
from serienmail.mailing.post import FileSource
from serienmail.mailing.template import check_placeholders
from starter.services import Services

MARK = "[Test] "


async def send_test_mails(
    services: Services,
    template: Template,
    account: str,
    contact: Mapping[str, Any],
    to: Sequence[str],
    module: str = CONTACTS,
    files: FileSource | None = None,
) -> dict[str, Answer]:
    """Send this contact's mail to each address instead; the answers. TransportFailure if the server can't be had.

    files: what it encloses, if that isn't stored.
    """
    if unusable := [address for address in to if address_key(address) is None]:
        raise InvalidOrder(f"'{unusable[0]}' is no mail address; correct it.")
    check_placeholders(template, await services.contacts.fields(module))
    office = services.post_office
    marked = replace(template, subject=MARK + template.subject)
    post = await office.post_with(await office.builder(marked, account, follow_up=False, files=files), account)
    sender = office.account(account).from_address
    return {address: await post.deliver(specimen(contact, address, sender)) for address in to}
