"""From a claimed row of the ledger to the mail that is handed over."""

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
from serienmail.mailing.letterhead import Letterhead, before_body_end
from serienmail.mailing.links import Links, MailRef
from serienmail.mailing.message import Mail, Mailbox, check_one_line, fixed_header, mailbox_header, text_header
from serienmail.mailing.mime import Attachment, InlineImage, Skeleton
from serienmail.mailing.template import CompiledTemplate, Rendered, compile_template

_MOST_HEADERS = 16_384  # headers, the way out and the pixel: a bound, not a measure


class MailBuilder:
    """Builds the mails of one stage; what they share is compiled once.

    attachments: go along with each mail. letterhead: who it is from; None: the account.
    """

    def __init__(
        self,
        template: Template,
        account: Account,
        links: Links,
        *,
        follow_up: bool,
        attachments: Sequence[Attachment | InlineImage] = (),
        letterhead: Letterhead | None = None,
    ) -> None:
        head = letterhead or Letterhead.of(account)
        self._template = compile_template(head.signed(template))
        self._links = links
        self._sender = head.sender
        self._shared_headers = shared_headers(head, follow_up=follow_up)
        self._has_html = bool(template.html)
        self._has_text = bool(template.text) or not self._has_html
        self._signer = DkimSigner(account.dkim)
        self._attachments = attachments
        self._skeleton = self._skeleton_of(attachments)

    def build(self, claimed: Claimed, personal: Sequence[Attachment] = ()) -> Mail:
        """The mail for this recipient, the same bytes each time; TemplateFault if there can be none.

        personal: files for this recipient alone.
        """
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
        skeleton = self._skeleton_of([*self._attachments, *personal]) if personal else self._skeleton
        data = skeleton.message(headers, *self._bodies(rendered, claimed, ref, unsubscribe_url))
        data = self._signer.sign(data) + data
        return Mail(
            sender=self._sender.address,
            recipient=recipient.address,
            data=data,
            smtputf8=not data.isascii(),  # bodies are encoded, so it is an address in the headers
            envelope_id=claimed.message_id.removeprefix("<").partition("@")[0],
        )

    def dry_run(self, contact: Mapping[str, Any]) -> int:
        """Whether this contact can get a mail, as ``build`` says it; bytes that the mail won't be larger than."""
        rendered = render(self._template, contact, unsubscribe_url=self._links.unsubscribe_url(MailRef(0, 0, 0)))
        check_one_line("To", display_name(contact))
        return self._skeleton.size + _MOST_HEADERS + 3 * len((rendered.text + rendered.html).encode("utf-8", "replace"))

    def _skeleton_of(self, attachments: Sequence[Attachment | InlineImage]) -> Skeleton:
        return Skeleton(text=self._has_text, html=self._has_html, attachments=attachments)

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


def shared_headers(head: Letterhead, *, follow_up: bool) -> bytes:
    """What all mails of a stage begin with."""
    headers = [mailbox_header("From", head.sender)]
    if head.reply_to:
        headers.append(mailbox_header("Reply-To", head.reply_to))
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
    return before_body_end(html, f'<p><a href="{escape(url)}">{_unsubscribe_word(language)}</a></p>')


def _with_pixel(html: str, url: str) -> str:
    return before_body_end(html, f'<img src="{escape(url)}" width="1" height="1" alt="">')


def _unsubscribe_word(language: str | None) -> str:
    return "Unsubscribe" if (language or "").strip().casefold().startswith("en") else "Abmelden"
