"""The mail that asks for consent: one link to a page that confirms, and nothing that is measured."""

from serienmail.domain.delivery import Claimed
from serienmail.domain.template import Template
from serienmail.mailing.account import Account
from serienmail.mailing.builder import date_header, display_name, render, shared_headers
from serienmail.mailing.dkim import DkimSigner
from serienmail.mailing.letterhead import Letterhead
from serienmail.mailing.links import CONSENT, Links, MailRef
from serienmail.mailing.message import Mail, Mailbox, fixed_header, mailbox_header, text_header
from serienmail.mailing.mime import Skeleton
from serienmail.mailing.template import compile_template


class ConsentMailBuilder:
    """Builds requests from one template, which prints ``confirm_url``. No list headers: there is no list yet."""

    def __init__(self, template: Template, account: Account, links: Links) -> None:
        self._template = compile_template(template)
        self._links = links
        head = Letterhead.of(account)
        self._sender = head.sender
        self._headers = shared_headers(head, follow_up=True)  # RFC 3834: nobody is to reply
        self._signer = DkimSigner(account.dkim)
        self._bodies = (bool(template.text) or not template.html, bool(template.html))
        self._skeleton = Skeleton(text=self._bodies[0], html=self._bodies[1])

    def build(self, claimed: Claimed) -> Mail:
        """The mail for this request, whose number is ``claimed.number``; TemplateFault if there can be none."""
        recipient = Mailbox.of(claimed.address, display_name(claimed.contact))
        ref = MailRef(claimed.number, CONSENT, 0)
        message_id = self._links.message_id(ref, self._sender.domain)
        rendered = render(self._template, claimed.contact, confirm_url=self._links.confirm_url(ref))
        headers = (
            self._headers,
            mailbox_header("To", recipient),
            text_header("Subject", rendered.subject),
            date_header(int(claimed.dated_at.timestamp())),
            fixed_header("Message-ID", message_id),
        )
        wanted = zip((rendered.text, rendered.html), self._bodies, strict=True)
        data = self._skeleton.message(headers, *(body for body, has in wanted if has))
        return Mail(
            sender=self._sender.address,
            recipient=recipient.address,
            data=self._signer.sign(data) + data,
            smtputf8=not data.isascii(),  # bodies are encoded, so it is an address in the headers
            envelope_id=message_id.removeprefix("<").partition("@")[0],
        )
