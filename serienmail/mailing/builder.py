"""From a claimed row of the ledger to the mail that is handed over."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

from serienmail.domain.delivery import Claimed
from serienmail.domain.salutation import is_english, salutation
from serienmail.domain.template import Template
from serienmail.mailing.account import Account
from serienmail.mailing.body import Body
from serienmail.mailing.dkim import DkimSigner
from serienmail.mailing.letterhead import Letterhead
from serienmail.mailing.links import Links, MailRef
from serienmail.mailing.measured_links import with_variables
from serienmail.mailing.message import Mail, Mailbox, check_one_line, fixed_header, mailbox_header, text_header
from serienmail.mailing.mime import Attachment, InlineImage, Skeleton
from serienmail.mailing.template import CompiledTemplate, Rendered, compile_template

_WAY_OUT = b"List-Unsubscribe: <%b>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"  # RFC 8058
_MOST_HEADERS = 16_384  # headers, the way out and the pixel: a bound, not a measure
_LONGEST_LINK = 512  # an address of ours, encoded: a bound as well
_MOST_ENCODED = 4  # of an octet: "=XX", and its part of the soft line ends


class MailBuilder:
    """Builds the mails of one stage; what they share is compiled once.

    attachments: go along with each mail. letterhead: who it is from; None: the account.
    measured_links: ids by target; clicks on these are measured where agreed.
    template: with the letterhead's signature. size: bytes that mails aren't larger than, but for what is filled in.
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
        measured_links: Mapping[str, int] | None = None,
    ) -> None:
        head = letterhead or Letterhead.of(account)
        signed = head.signed(template)
        self.template = compile_template(signed)
        # Only the token differs, and tokens are of one length and alphabet: what is right for one mail is for all.
        fixed_header("List-Unsubscribe", f"<{links.unsubscribe_url(MailRef(0, 0, 0))}>")
        self._links = links
        self._measured_links = sorted((measured_links or {}).values())
        self._sender = head.sender
        self._shared_headers = shared_headers(head, follow_up=follow_up)
        self.answers_to = (head.reply_to or head.sender).address
        self._bounce_domain = account.bounce_domain
        self._reference = account.reference_header
        self._signer = DkimSigner(account.dkim)
        self._has_html = bool(template.html)
        self._has_text = bool(template.text) or not self._has_html
        self._attachments = attachments
        self._skeleton = self._skeleton_of(attachments)
        measured = with_variables(signed, measured_links or {})
        self._bodies = {
            False: self._compiled_bodies(self.template, tracked=False),
            True: self._compiled_bodies(compile_template(measured), tracked=True),
        }
        self._most_urls = _LONGEST_LINK * (measured.text + measured.html).count("link_url_")
        self.size = self._most(signed.text + signed.html)

    def _skeleton_of(self, attachments: Sequence[Attachment | InlineImage]) -> Skeleton:
        return Skeleton(text=self._has_text, html=self._has_html, attachments=attachments)

    def _compiled_bodies(self, template: CompiledTemplate, *, tracked: bool) -> list[Body]:
        bodies = [Body(template.text, html=False)] if self._has_text else []
        return [*bodies, Body(template.html, html=True, pixel=tracked)] if self._has_html else bodies

    def build(self, claimed: Claimed, personal: Sequence[Attachment] = ()) -> Mail:
        """The mail for this recipient, the same bytes each time; TemplateFault if there can be none.

        personal: files for this recipient alone.
        """
        ref = MailRef(claimed.number, claimed.key.stage, claimed.seq)
        recipient = Mailbox.of(claimed.address, display_name(claimed.contact))
        variables = self._variables(claimed, ref)
        subject = text_header("Subject", self.template.subject.render(variables))
        bodies = [body.written(variables) for body in self._bodies[claimed.tracked]]
        headers: tuple[bytes, ...] = (
            self._shared_headers,
            mailbox_header("To", recipient),
            subject,
            date_header(int(claimed.dated_at.timestamp())),
            fixed_header("Message-ID", claimed.message_id),
            list_id_header(claimed.number, self._sender.domain),
            _WAY_OUT % variables["unsubscribe_url"].encode("ascii"),
        )
        skeleton = self._skeleton_of([*self._attachments, *personal]) if personal else self._skeleton
        envelope_id = claimed.message_id.removeprefix("<").partition("@")[0]
        if self._reference:
            name, _, value = self._reference.replace("{token}", envelope_id).partition(": ")
            headers = (*headers, fixed_header(name, value))
        data = skeleton.message(headers, *bodies)
        data = self._signer.sign(data) + data
        return Mail(
            sender=self._envelope_sender(ref),
            recipient=recipient.address,
            data=data,
            smtputf8=not data.isascii(),  # bodies are encoded, so it is an address in the headers
            envelope_id=envelope_id,
        )

    def dry_run(self, contact: Mapping[str, Any]) -> int:
        """Whether this contact can get a mail, as ``build`` says it; bytes that the mail won't be larger than."""
        check_one_line("To", display_name(contact))
        rendered = render(self.template, contact, unsubscribe_url=self._links.unsubscribe_url(MailRef(0, 0, 0)))
        return self._most(rendered.text + rendered.html)

    def _most(self, bodies: str) -> int:
        return self._skeleton.size + _MOST_HEADERS + self._most_urls + _most_encoded(bodies)

    def _envelope_sender(self, ref: MailRef) -> str:
        return self._links.bounce_address(ref, self._bounce_domain) if self._bounce_domain else self._sender.address

    def _variables(self, claimed: Claimed, ref: MailRef) -> dict[str, Any]:
        variables = {
            "contact": claimed.contact,
            "salutation": greeting(claimed.contact),
            "unsubscribe_url": self._links.unsubscribe_url(ref),
            "unsubscribe_word": "Unsubscribe" if is_english(claimed.contact.get("language") or "") else "Abmelden",
        }
        if claimed.tracked:
            variables["pixel_url"] = self._links.pixel_url(ref)
            for link in self._measured_links:
                variables[f"link_url_{link}"] = self._links.link_url(ref, link)
        return variables


def greeting(contact: Mapping[str, Any]) -> str:
    """The contact's own salutation."""
    return salutation(
        contact.get("language") or "",
        contact.get("salutation") or "",
        contact.get("title") or "",
        contact.get("first_name") or "",
        contact.get("last_name") or "",
        contact.get("company") or "",
    )


def render(template: CompiledTemplate, contact: Mapping[str, Any], **urls: str) -> Rendered:
    """The words of a mail, with the contact's own salutation; PlaceholderMissing or another TemplateFault.

    urls: as ``CompiledTemplate.render`` takes them.
    """
    return template.render(contact, salutation=greeting(contact), **urls)


def shared_headers(head: Letterhead, *, follow_up: bool) -> bytes:
    """What all mails of a stage begin with."""
    headers = [mailbox_header("From", head.sender)]
    if head.reply_to:
        headers.append(mailbox_header("Reply-To", head.reply_to))
    if follow_up:
        headers.append(fixed_header("Auto-Submitted", "auto-generated"))  # RFC 3834: no holiday notes in return
    return b"".join(headers)


@lru_cache(maxsize=64)  # many mails are written in one second
def date_header(seconds: int) -> bytes:
    """RFC 5322 3.3. seconds: since 1970."""
    return fixed_header("Date", format_datetime(datetime.fromtimestamp(seconds, UTC)))


@lru_cache(maxsize=64)  # the same in a whole mass mail
def list_id_header(number: int, sender_domain: str) -> bytes:
    """RFC 2919. number: the mass mail's."""
    return fixed_header("List-Id", f"<mass-mail-{number}.{sender_domain}>")


def display_name(contact: Mapping[str, Any]) -> str:
    """What stands beside the address in To."""
    return " ".join(filter(None, (contact.get("first_name"), contact.get("last_name"))))


def _most_encoded(bodies: str) -> int:
    return _MOST_ENCODED * len(bodies.encode("utf-8", "replace"))
