"""The embedded inbox: a mail server on this machine that delivers everything into one Maildir."""

import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from serienmail.mailing.mail_server import MailServer

_ENVELOPE_HEADER = b"Delivered-To: "


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """A mail in the inbox. recipient: of the envelope, whatever its To says."""

    recipient: str
    path: Path

    @property
    def message(self) -> EmailMessage:
        """Headers and bodies, read from disk and parsed each time."""
        return message_from_bytes(self.path.read_bytes(), policy=policy.default)


class Inbox(MailServer):
    """Accepts mail for everybody on the loopback interface and keeps it in ``folder``, across restarts."""

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(_Maildir(folder), "127.0.0.1", port, "the inbox")
        self._folder = folder

    def messages(self) -> Iterator[ReceivedMail]:
        """All mails, in the order of their arrival."""
        for path in sorted((self._folder / "new").glob("*")):
            with path.open("rb") as file:
                recipient = file.readline().removeprefix(_ENVELOPE_HEADER).strip().decode()
            yield ReceivedMail(recipient, path)


class _Maildir:
    """Delivers as Maildir asks: written under tmp, renamed into new. It is a test's inbox, so nothing is synced."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        for part in ("tmp", "new", "cur"):
            (folder / part).mkdir(parents=True, exist_ok=True)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        for recipient in envelope.rcpt_tos:
            self._deliver(_ENVELOPE_HEADER + recipient.encode() + b"\r\n" + content)
        return "250 2.0.0 delivered"

    def _deliver(self, content: bytes) -> None:
        name = f"{time.time_ns()}.{os.getpid()}_{next(self._numbers)}.localhost"
        written = self._folder / "tmp" / name
        written.write_bytes(content)
        written.rename(self._folder / "new" / name)
