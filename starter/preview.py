"""One mail as it would go out, for a real contact; nothing is written, and its links lead nowhere."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Any

from serienmail.domain.address import address_key
from serienmail.domain.contact import CONTACTS
from serienmail.domain.delivery import Claimed, StageKey
from serienmail.domain.errors import InvalidOrder, NotFound, PlaceholderMissing
from serienmail.domain.loading import first_load
from serienmail.domain.template import Template, TemplateRef
from serienmail.mailing.builder import MailBuilder
from serienmail.mailing.links import Links
from serienmail.mailing.template import check_placeholders
from serienmail.settings import Settings
from starter.orders import Prepared
from starter.services import Services

NO_NUMBER = 0
"""Mass mails are numbered from 1, so no link with this number is ever found."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What the recipient would see. An empty text or html is a body that the mail doesn't have."""

    headers: tuple[tuple[str, str], ...]
    subject: str
    text: str
    html: str


async def preview(
    services: Services, template: Template, account: str, contact: Mapping[str, Any], module: str = CONTACTS
) -> Preview:
    """The mail for this record; NotFound for an unknown account, TemplateFault if there can be no mail."""
    check_placeholders(template, await services.contacts.fields(module))
    if address_key(contact["email"]) is None:
        raise InvalidOrder(f"The contact '{contact['key']}' has no usable mail address; choose another one.")
    sender = services.post_office.account(account)
    builder = MailBuilder(template, sender, inert_links(services.settings), follow_up=False)
    return _read(builder.build(claimed_by_nobody(contact, contact["email"], sender.from_address)).data)


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


def claimed_by_nobody(contact: Mapping[str, Any], address: str, sender: str) -> Claimed:
    """A recipient that stands in no ledger. Its Message-ID is a new one each time, else inboxes drop the second."""
    return Claimed(
        key=StageKey("preview", 0),
        seq=0,
        token="0" * 32,
        number=NO_NUMBER,
        address=address,
        contact=contact,
        tracked=False,
        message_id=make_msgid(domain=sender.rpartition("@")[2].encode("idna").decode()),
        dated_at=datetime.now(UTC),
    )


def inert_links(settings: Settings) -> Links:
    """Links that look like those in real mails."""
    return Links(settings.web_base_url, settings.link_key.get_secret_value().encode())


def _read(data: bytes) -> Preview:
    message = message_from_bytes(data, policy=policy.default)
    shown = ("From", "Reply-To", "To", "Subject", "Date", "List-Unsubscribe")
    return Preview(
        headers=tuple((name, str(message[name])) for name in shown if message[name]),
        subject=str(message["Subject"]),
        text=_body(message, "plain"),
        html=_body(message, "html"),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return part.get_content().replace("\r\n", "\n").rstrip("\n") if part else ""
