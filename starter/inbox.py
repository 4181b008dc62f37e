"""The embedded inbox: a mail server on this machine that delivers everything into one Maildir."""

import asyncio
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, Envelope, Session

from serienmail.domain.errors import EnvironmentFault

_HOST = "127.0.0.1"
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


class Inbox:
    """Accepts mail for everybody on the loopback interface and keeps it in ``folder``, across restarts."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._server: asyncio.Server | None = None
        self._sessions: WeakSet[SMTP] = WeakSet()

    async def start(self) -> None:
        """Listen in the running event loop; EnvironmentFault if the port is taken."""
        maildir = _Maildir(self._folder)
        loop = asyncio.get_running_loop()

        def session() -> SMTP:
            # A fixed host name: the default asks the name service for each connection.
            server = SMTP(maildir, enable_SMTPUTF8=True, hostname="localhost", loop=loop)
            self._sessions.add(server)
            return server

        try:
            self._server = await loop.create_server(session, _HOST, self._port)
        except OSError:
            raise EnvironmentFault(f"port {self._port} for the inbox is in use; stop what uses it.") from None

    async def stop(self) -> None:
        """Stop listening and hang up on everybody; the mails stay."""
        if self._server is None:
            return
        self._server.close()
        for session in self._sessions:
            if session.transport:
                session.transport.close()
        await self._server.wait_closed()
        await asyncio.sleep(0)  # the sessions learn of it in the loop's next round

    @property
    def port(self) -> int:
        """The port it listens on; with 0 the system chooses one."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else self._port

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
