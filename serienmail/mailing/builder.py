"""From a claimed row of the ledger to the mail that is handed over."""

import re
from collections.abc import Iterator, Mapping, Sequence
from email.utils import format_datetime
from functools import lru_cache
from html import escape
from typing import Any

from serienmail.domain.delivery import Claimed
from serienmail.domain.salutation import salutation
from serienmail.domain.template import Template
from serienmail.mailing.account import Account
from serienmail.mailing.dkim import DkimSigner
from serienmail.mailing.links import Links, MailRef
from serienmail.mailing.message import Mail, Mailbox, fixed_header, mailbox_header, text_header
from serienmail.mailing.mime import Attachment, InlineImage, Skeleton
from serienmail.mailing.template import CompiledTemplate, Rendered, compile_template

_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)


class MailBuilder:
    """Builds the mails of one stage; what they share is compiled once. attachments: go along with each mail."""

    def __init__(
        self,
        template: Template,
        account: Account,
        links: Links,
        *,
        follow_up: bool,
        attachments: Sequence[Attachment | InlineImage] = (),
    ) -> None:
        self._template = compile_template(template)
        self._links = links
        self._sender = Mailbox.of(account.from_address, account.from_name)
        self._shared_headers = shared_headers(self._sender, account.reply_to, follow_up=follow_up)
        self._has_html = bool(template.html)
        self._has_text = bool(template.text) or not self._has_html
        self._signer = DkimSigner(account.dkim)
        self._skeleton = Skeleton(text=self._has_text, html=self._has_html, attachments=attachments)

    def build(self, claimed: Claimed) -> Mail:
        """The mail for this recipient, the same bytes each time; TemplateFault if there can be none."""
        ref = MailRef(claimed.number, claimed.key.stage, claimed.seq)
        recipient = Mailbox.of(claimed.address, display_name(claimed.contact))
        unsubscribe_url = self._links.unsubscribe_url(ref)
        rendered = render(self._template, claimed.contact, unsubscribe_url=unsubscribe_url)
        headers = (
            self._shared_headers,
            mailbox_header("To", recipient),
            text_header("Subject", rendered.subject),
            fixed_header("Date", mail_date(claimed.dated_at.replace(microsecond=0))),
            fixed_header("Message-ID", claimed.message_id),
            fixed_header("List-Id", f"<mass-mail-{claimed.number}.{self._sender.domain}>"),
            fixed_header("List-Unsubscribe", f"<{unsubscribe_url}>"),
            b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
        )
        data = self._skeleton.message(headers, *self._bodies(rendered, claimed, ref, unsubscribe_url))
        data = self._signer.sign(data) + data
        return Mail(
            sender=self._sender.address,
            recipient=recipient.address,
            data=data,
            smtputf8=not data.isascii(),  # bodies are encoded, so it is an address in the headers
            envelope_id=claimed.message_id.removeprefix("<").partition("@")[0],
        )

    def _bodies(self, rendered: Rendered, claimed: Claimed, ref: MailRef, unsubscribe_url: str) -> Iterator[str]:
        language = claimed.contact.get("language")
        if self._has_text:
            yield _with_way_out(rendered.text, unsubscribe_url, language)
        if self._has_html:
            html = _html_with_way_out(rendered.html, unsubscribe_url, language)
            yield _with_pixel(html, self._links.pixel_url(ref)) if claimed.tracked else html


def render(template: CompiledTemplate, contact: Mapping[str, Any], **urls: str) -> Rendered:
    """The words of a mail, with the contact's own salutation; PlaceholderMissing or another TemplateFault.

    urls: as ``CompiledTemplate.render`` takes them.
    """
    fields = ("language", "salutation", "title", "first_name", "last_name", "company")
    greeting = salutation(**{field: contact.get(field) or "" for field in fields})
    return template.render(contact, salutation=greeting, **urls)


def shared_headers(sender: Mailbox, reply_to: str | None, *, follow_up: bool) -> bytes:
    headers = [mailbox_header("From", sender)]
    if reply_to:
        headers.append(mailbox_header("Reply-To", Mailbox.of(reply_to)))
    if follow_up:
        headers.append(fixed_header("Auto-Submitted", "auto-generated"))  # RFC 3834: no holiday notes in return
    return b"".join(headers)


mail_date = lru_cache(maxsize=64)(format_datetime)  # many mails are written in one second


def display_name(contact: Mapping[str, Any]) -> str:
    """What stands beside the address in To."""
    return " ".join(filter(None, (contact.get("first_name"), contact.get("last_name"))))


def _with_way_out(text: str, url: str, language: str | None) -> str:
    """The text with a way to unsubscribe, which no mass mail may lack."""
    return text if url in text else f"{text}\n\n-- \n{_unsubscribe_word(language)}: {url}\n"


def _html_with_way_out(html: str, url: str, language: str | None) -> str:
    if escape(url) in html:
        return html
    return _before_body_end(html, f'<p><a href="{escape(url)}">{_unsubscribe_word(language)}</a></p>')


def _with_pixel(html: str, url: str) -> str:
    return _before_body_end(html, f'<img src="{escape(url)}" width="1" height="1" alt="">')


def _before_body_end(html: str, addition: str) -> str:
    ends = [found.start() for found in _BODY_END.finditer(html)]
    at = ends[-1] if ends else len(html)
    return f"{html[:at]}{addition}{html[at:]}"


def _unsubscribe_word(language: str | None) -> str:
    return "Unsubscribe" if (language or "").strip().casefold().startswith("en") else "Abmelden"
