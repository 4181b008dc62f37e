"""From a claimed row of the ledger to the mail that is handed over."""

import re
from collections.abc import Mapping
from email.utils import format_datetime
from html import escape
from typing import Any

from serienmail.domain.delivery import Claimed
from serienmail.domain.salutation import salutation
from serienmail.domain.template import Template
from serienmail.mailing.account import Account
from serienmail.mailing.links import Links, MailRef
from serienmail.mailing.message import Mail, Mailbox, fixed_header, mailbox_header, serialize, text_header
from serienmail.mailing.template import CompiledTemplate, Rendered, compile_template

_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)


class MailBuilder:
    """Builds the mails of one stage; what they share is compiled once."""

    def __init__(self, template: Template, account: Account, links: Links, *, follow_up: bool) -> None:
        self._template = compile_template(template)
        self._links = links
        self._sender = Mailbox.of(account.from_address, account.from_name)
        self._shared_headers = _shared_headers(self._sender, account.reply_to, follow_up=follow_up)

    def build(self, claimed: Claimed) -> Mail:
        """The mail for this recipient, the same bytes each time; TemplateFault if there can be none."""
        ref = MailRef(claimed.number, claimed.key.stage, claimed.seq)
        recipient = Mailbox.of(claimed.address, _display_name(claimed.contact))
        unsubscribe_url = self._links.unsubscribe_url(ref)
        rendered = render(self._template, claimed.contact, unsubscribe_url)
        headers = (
            *self._shared_headers,
            mailbox_header("To", recipient),
            text_header("Subject", rendered.subject),
            fixed_header("Date", format_datetime(claimed.dated_at)),
            fixed_header("Message-ID", claimed.message_id),
            fixed_header("List-Id", f"<mass-mail-{claimed.number}.{self._sender.domain}>"),
            fixed_header("List-Unsubscribe", f"<{unsubscribe_url}>"),
            fixed_header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        )
        language = claimed.contact.get("language")
        text = _with_way_out(rendered.text, unsubscribe_url, language)
        html = _html_with_way_out(rendered.html, unsubscribe_url, language)
        if claimed.tracked:
            html = _with_pixel(html, self._links.pixel_url(ref))
        return Mail(
            sender=self._sender.address,
            recipient=recipient.address,
            data=serialize(headers, message_id=claimed.message_id, text=text, html=html),
            smtputf8=not (self._sender.address + recipient.address).isascii(),
        )


def render(template: CompiledTemplate, contact: Mapping[str, Any], unsubscribe_url: str) -> Rendered:
    """The words of a mail, with the contact's own salutation; PlaceholderMissing or another TemplateFault."""
    fields = ("language", "salutation", "title", "first_name", "last_name", "company")
    greeting = salutation(**{field: contact.get(field) or "" for field in fields})
    return template.render(contact, salutation=greeting, unsubscribe_url=unsubscribe_url)


def _shared_headers(sender: Mailbox, reply_to: str | None, *, follow_up: bool) -> tuple[bytes, ...]:
    headers = [mailbox_header("From", sender)]
    if reply_to:
        headers.append(mailbox_header("Reply-To", Mailbox.of(reply_to)))
    if follow_up:
        headers.append(fixed_header("Auto-Submitted", "auto-generated"))  # RFC 3834: no holiday notes in return
    return tuple(headers)


def _display_name(contact: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (contact.get("first_name"), contact.get("last_name"))))


def _with_way_out(text: str, url: str, language: str | None) -> str:
    """The text with a way to unsubscribe, which no mass mail may lack."""
    if not text or url in text:
        return text
    return f"{text}\n\n-- \n{_unsubscribe_word(language)}: {url}\n"


def _html_with_way_out(html: str, url: str, language: str | None) -> str:
    if not html or escape(url) in html:
        return html
    return _before_body_end(html, f'<p><a href="{escape(url)}">{_unsubscribe_word(language)}</a></p>')


def _with_pixel(html: str, url: str) -> str:
    if not html:
        return html
    return _before_body_end(html, f'<img src="{escape(url)}" width="1" height="1" alt="">')


def _before_body_end(html: str, addition: str) -> str:
    ends = [found.start() for found in _BODY_END.finditer(html)]
    at = ends[-1] if ends else len(html)
    return f"{html[:at]}{addition}{html[at:]}"


def _unsubscribe_word(language: str | None) -> str:
    return "Unsubscribe" if (language or "").strip().casefold().startswith("en") else "Abmelden"
