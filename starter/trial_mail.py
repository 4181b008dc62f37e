"""Test mails: one contact's mail to oneself or colleagues, marked, with inert links; no state changes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from serienmail.domain.address import address_key
from serienmail.domain.contact import CONTACTS
from serienmail.domain.delivery import Answer
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.template import Template, TemplateRef
from serienmail.mailing.post import PostOffice, TemplateSource
from serienmail.mailing.template import check_placeholders
from starter.preview import claimed_by_nobody, inert_links
from starter.services import Services

MARK = "[Test] "


class _Marked:
    """Templates whose subject says that it is a test."""

    def __init__(self, templates: TemplateSource) -> None:
        self._templates = templates

    async def get(self, ref: TemplateRef) -> Template:
        """One revision, marked."""
        template = await self._templates.get(ref)
        return replace(template, subject=MARK + template.subject)


async def send_test_mails(
    services: Services,
    template: str,
    account: str,
    contact: Mapping[str, Any],
    to: Sequence[str],
    module: str = CONTACTS,
) -> dict[str, Answer]:
    """Send this contact's mail to each address instead; the answers. TransportFailure if the server can't be had."""
    if unusable := [address for address in to if address_key(address) is None]:
        raise InvalidOrder(f"'{unusable[0]}' is no mail address; correct it.")
    ref = await services.templates.newest(template)
    check_placeholders(await services.templates.get(ref), await services.contacts.fields(module))
    office = PostOffice(_Marked(services.templates), services.settings.accounts, inert_links(services.settings))
    try:
        post = await office.post(str(ref), account, follow_up=False)
        sender = office.account(account).from_address
        return {address: await post.deliver(claimed_by_nobody(contact, address, sender)) for address in to}
    finally:
        await office.close()
