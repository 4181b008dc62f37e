"""One mail as it would go out, for a real contact; nothing is written, and its links lead nowhere."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from serienmail.domain.address import address_key
from serienmail.domain.contact import CONTACTS
from serienmail.domain.errors import InvalidOrder, NotFound, PlaceholderMissing
from serienmail.domain.loading import first_load
from serienmail.domain.template import Template, TemplateRef
from serienmail.mailing.letter import specimen
from serienmail.mailing.post import FileSource
from serienmail.mailing.template import check_placeholders
from starter.orders import Prepared
from starter.services import Services


@dataclass(frozen=True, slots=True)
class Preview:
    """What the recipient would see. An empty text or html is a body that the mail doesn't have.

    source: the whole mail, as it would be sent.
    """

    headers: tuple[tuple[str, str], ...]
    subject: str
    text: str
    html: str
    source: str


async def preview(
    services: Services,
    template: Template,
    account: str,
    contact: Mapping[str, Any],
    module: str = CONTACTS,
    files: FileSource | None = None,
) -> Preview:
    """The mail for this record; NotFound for an unknown account, TemplateFault if there can be no mail.

    files: what it encloses, if that isn't stored.
    """
    check_placeholders(template, await services.contacts.fields(module))
    if address_key(contact["email"]) is None:
        raise InvalidOrder(f"The contact '{contact['key']}' has no usable mail address; choose another one.")
    builder = await services.post_office.builder(template, account, follow_up=False, files=files)
    sender = services.post_office.account(account).from_address
    return _read(builder.build(specimen(contact, contact["email"], sender)).data)


async def first_mail(services: Services, prepared: Prepared) -> Preview:
    """What the first of the recipients would get."""
    order = prepared.order
    template = await services.templates.get(TemplateRef.parse(order.template))
    module = (await services.selections.get(order.selection)).module
    async with aclosing(services.recipients.previewed(first_load(order, revision=1))) as batches:
        async for batch in batches:
            for _, contact in batch:
                try:
                    return await preview(services, template, order.account, contact, module)
                except PlaceholderMissing:
                    continue  # the order says to exclude them
    raise InvalidOrder("Nobody is left who would get the mail; select others.")


async def contact_by_key(services: Services, key: str, module: str = CONTACTS) -> Mapping[str, Any]:
    """A record's merge fields; NotFound if there is none."""
    found = await services.contacts.find(key, module)
    if found is None:
        raise NotFound(f"There is no {module} '{key}'; give the key it has in the CRM.")
    return found


def _read(data: bytes) -> Preview:
    message = message_from_bytes(data, policy=policy.default)
    shown = ("From", "Reply-To", "To", "Subject", "Date", "List-Unsubscribe")
    return Preview(
        headers=tuple((name, str(message[name])) for name in shown if message[name]),
        subject=str(message["Subject"]),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        source=data.decode("utf-8"),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return part.get_content().replace("\r\n", "\n").rstrip("\n") if part else ""
