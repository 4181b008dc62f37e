"""The mail that answers an answer by itself: to its writer, and so that no program answers it in turn (RFC 3834)."""

from serienmail.domain.delivery import Claimed
from serienmail.domain.template import Template
from serienmail.mailing.account import Account
from serienmail.mailing.builder import date_header, display_name, render, shared_headers
from serienmail.mailing.dkim import DkimSigner
from serienmail.mailing.letterhead import Letterhead
from serienmail.mailing.links import Links, MailRef
from serienmail.mailing.message import Mail, Mailbox, fixed_header, mailbox_header, text_header
from serienmail.mailing.mime import Skeleton
from serienmail.mailing.template import compile_template


class AnswerMailBuilder:
    """Builds answers from one template. replied_to: the Message-ID of what is answered."""

    def __init__(self, template: Template, account: Account, links: Links, replied_to: str) -> None:
        head = Letterhead.of(account)
        signed = head.signed(template)
        self._template = compile_template(signed)
        self._links = links
        self._replied_to = replied_to
        self._sender = head.sender
        self._headers = shared_headers(head, follow_up=False)
        self._signer = DkimSigner(account.dkim)
        self._bodies = (bool(template.text) or not template.html, bool(template.html))
        self._skeleton = Skeleton(text=self._bodies[0], html=self._bodies[1])

    def build(self, claimed: Claimed) -> Mail:
        """The answer to this recipient, ``claimed.message_id`` being our mail's; TemplateFault if there can be none."""
        recipient = Mailbox.of(claimed.address, display_name(claimed.contact))
        ref = MailRef(claimed.number, claimed.key.stage, claimed.seq)
        rendered = render(self._template, claimed.contact, unsubscribe_url=self._links.unsubscribe_url(ref))
        references = [each for each in (claimed.message_id, self._replied_to) if each]  # what comes next is ours, too
        headers = (
            self._headers,
            mailbox_header("To", recipient),
            text_header("Subject", f"Auto: {rendered.subject}"),
            date_header(int(claimed.dated_at.timestamp())),
            fixed_header("Message-ID", f"<a.{claimed.token}@{self._sender.domain}>"),
            fixed_header("In-Reply-To", self._replied_to),
            fixed_header("References", *references),
            fixed_header("Auto-Submitted", "auto-replied"),
        )
        wanted = zip((rendered.text, rendered.html), self._bodies, strict=True)
        data = self._skeleton.message(headers, *(body for body, has in wanted if has))
        return Mail(
            sender="",  # RFC 3834 3.3: nothing comes back to it
            recipient=recipient.address,
            data=self._signer.sign(data) + data,
            smtputf8=not data.isascii(),
        )
