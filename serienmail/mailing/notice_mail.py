"""The mail that carries a notice to an employee: plain text, nothing measured, no list to unsubscribe from."""

from serienmail.domain.delivery import Claimed
from serienmail.domain.notice import Notice
from serienmail.mailing.account import Account
from serienmail.mailing.builder import date_header, shared_headers
from serienmail.mailing.dkim import DkimSigner
from serienmail.mailing.letterhead import Letterhead
from serienmail.mailing.message import Mail, Mailbox, fixed_header, mailbox_header, text_header
from serienmail.mailing.mime import Skeleton


class NoticeMailBuilder:
    """Builds one notice. Its Message-ID is the notice's, so that inboxes show one that was sent twice once."""

    def __init__(self, notice: Notice, account: Account) -> None:
        self._notice = notice
        self._head = Letterhead.of(account)
        self._signer = DkimSigner(account.dkim)

    def build(self, claimed: Claimed) -> Mail:
        """The mail to this address; TemplateFault if there can be none."""
        sender, recipient = self._head.sender, Mailbox.of(claimed.address)
        headers = (
            shared_headers(self._head, follow_up=True),  # RFC 3834: nobody is to reply
            mailbox_header("To", recipient),
            text_header("Subject", self._notice.subject),
            date_header(int(claimed.dated_at.timestamp())),
            fixed_header("Message-ID", f"<notice.{self._notice.id}@{sender.domain}>"),
        )
        data = Skeleton(text=True, html=False).message(headers, self._notice.text)
        return Mail(
            sender=sender.address,
            recipient=recipient.address,
            data=self._signer.sign(data) + data,
            smtputf8=not data.isascii(),  # the body is encoded, so it is an address in the headers
        )
