"""Mailboxes that bounces and replies come to, read over IMAP without changing anything in them."""

import asyncio
import imaplib
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from imap_tools import BaseMailBox, ImapToolsError, MailBox, MailboxLoginError, MailBoxStartTls, MailBoxUnencrypted
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from serienmail.domain.errors import AccountRefused, NotFound, ServerUnreachable
from serienmail.domain.feedback import Feedback, Happening
from serienmail.domain.mailbox import Position
from serienmail.mailing.bounces import MOST_READ, feedback
from serienmail.mailing.links import Links

AT_ONCE = 100
_PATIENCE = 30.0  # seconds that a server may be silent
_PRIVATE = (Happening.REPLIED, Happening.AUTORESPONDED, Happening.UNKNOWN)


class Mailbox(BaseModel):
    """A mailbox of the settings; its name is the key it stands under there.

    address: what comes to it, and may so be a Reply-To. tls: ``none`` is for servers on this machine.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, extra="forbid")

    address: str
    host: str
    port: int = 993
    tls: Literal["none", "starttls", "implicit"] = "implicit"
    username: str
    password: SecretStr = Field(repr=False)
    folder: str = "INBOX"


@dataclass(frozen=True, slots=True)
class Batch:
    """Some mails of a mailbox as news, and where it was read to. more: there are others behind them."""

    news: Sequence[Feedback]
    position: Position
    more: bool


class MailboxReader:
    """Reads the mailboxes of the settings."""

    def __init__(self, mailboxes: Mapping[str, Mailbox], links: Links) -> None:
        self._mailboxes = mailboxes
        self._links = links

    async def read(self, name: str, after: Position, now: datetime) -> Batch:
        """The next mails. NotFound for an unknown name; AccountRefused, ServerUnreachable if it can't be read.

        Mail that is about none of ours is left alone, unless it is a bounce: people may get theirs in this mailbox.
        """
        if name not in self._mailboxes:
            raise NotFound(f"There is no mailbox '{name}' in the settings; add it, or remove its schedule.")
        return await asyncio.to_thread(self._read, self._mailboxes[name], after, now)

    def _read(self, mailbox: Mailbox, after: Position, now: datetime) -> Batch:
        try:
            with _opened(mailbox) as box:
                box.folder.set(mailbox.folder, readonly=True)
                validity = box.folder.status(mailbox.folder, ["UIDVALIDITY"])["UIDVALIDITY"]
                position = after.in_mailbox(validity)
                found = sorted(map(int, box.uids(f"UID {position.uid + 1}:*", charset=None)))
                new = [uid for uid in found if uid > position.uid]  # n:* has the last one, whatever n is
                mails = [_beginning(box, uid) for uid in new[:AT_ONCE]]
        except MailboxLoginError:
            raise AccountRefused("a mailbox refuses the log-in; check its username and password.") from None
        except (ImapToolsError, imaplib.IMAP4.error, OSError, ssl.SSLError):
            raise ServerUnreachable("a mailbox can't be read now; it will be tried again.") from None
        news = [feedback(mail, [], None, self._links, now) for mail in mails if mail]
        told = [each for each in news if each.mail or each.kind not in _PRIVATE]
        read_to = replace(position, uid=new[: len(mails)][-1]) if mails else position
        return Batch(told, read_to, more=len(new) > len(mails))


@contextmanager
def _opened(mailbox: Mailbox) -> Iterator[BaseMailBox]:
    box = _connected(mailbox)
    try:
        yield box.login(mailbox.username, mailbox.password.get_secret_value(), initial_folder=None)
        box.logout()
    except BaseException:
        with suppress(OSError):
            box.client.shutdown()
        raise


def _connected(mailbox: Mailbox) -> BaseMailBox:
    match mailbox.tls:
        case "implicit":
            return MailBox(mailbox.host, mailbox.port, _PATIENCE, ssl_context=ssl.create_default_context())
        case "starttls":
            return MailBoxStartTls(mailbox.host, mailbox.port, _PATIENCE, ssl_context=ssl.create_default_context())
        case "none":
            return MailBoxUnencrypted(mailbox.host, mailbox.port, _PATIENCE)


def _beginning(box: BaseMailBox, uid: int) -> bytes:
    """As much of a mail as is looked at, without marking it as seen; nothing if it is gone meanwhile."""
    _, answer = box.client.uid("FETCH", str(uid), f"(BODY.PEEK[]<0.{MOST_READ}>)")
    return next((part[1] for part in answer or [] if isinstance(part, tuple)), b"")
