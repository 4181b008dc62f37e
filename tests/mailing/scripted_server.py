"""A mail server on a loopback socket that says, octet for octet, what a test tells it to."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any, SupportsIndex, cast

from serienmail.mailing.account import Account
from serienmail.mailing.message import Mail
from serienmail.mailing.replies import InDoubt, Phase, Reply
from serienmail.mailing.session import Timeouts
from serienmail.mailing.smtp import SmtpTransport

DATA = b"Subject: Hallo\r\n\r\nGuten Tag\r\n"
MAIL = Mail("crm@example.com", "anna@example.org", DATA, smtputf8=False, envelope_id="mToken-1_")
QUEUED = Reply(Phase.DOT, 250, "2.0.0 queued")
SHORT = Timeouts(command=0.5, data=0.5, block=0.5, answer=0.5)
Says = bytes | Sequence[bytes]
"""Octets as they go out; several: one packet after the other."""


class Act(Enum):
    """What it may do instead of answering."""

    HANG_UP = "hang up"
    SILENCE = "silence"


class ScriptedServer:
    """Takes every mail, unless a script says otherwise.

    offers: its extensions. script: by event, which are ``connect``, ``mail``, ``rcpt``, ``data``, ``message`` (the
    message is about to come), ``dot`` (the answer to a message, also to a last chunk), ``rset``, and ``bdat``: it takes
    no chunks, and reads them as commands. certificate: for STARTTLS, or for TLS from the beginning. packets: what
    arrived, as it was cut. messages: what stood between 354 and the final dot, or in a chunk, as on the wire.
    """

    def __init__(self, *offers: str, **script: Says | Act) -> None:
        self.offers = ["localhost", *offers]
        self.script = script
        self.certificate: ssl.SSLContext | None = None
        self.implicit = False
        self.connections = 0
        self.connected = asyncio.Event()
        self.commands: list[str] = []
        self.packets: list[bytes] = []
        self.messages: list[bytes] = []

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from greeting to end."""
        self.connections += 1
        self.connected.set()
        await self._say(writer, "connect", b"220 localhost\r\n")
        while line := await reader.readline():
            command = line.decode().rstrip("\r\n")
            self.commands.append(command)
            match command[:4].upper():
                case "EHLO":
                    lines = [f"250{'-' if offer != self.offers[-1] else ' '}{offer}\r\n" for offer in self.offers]
                    await self._say(writer, "ehlo", "".join(lines).encode())
                case "STAR":
                    await self._say(writer, "starttls", b"220 go on\r\n")
                    assert self.certificate
                    await writer.start_tls(self.certificate)
                case "DATA":
                    if (await self._say(writer, "data", b"354 go on\r\n")).startswith(b"354"):
                        await self._message(reader, writer)
                case "BDAT" if "bdat" not in self.script:
                    await self._say(writer, "message", b"")
                    self.messages.append(await reader.readexactly(int(command.split()[1])))
                    await self._say(writer, "dot", b"250 2.0.0 queued\r\n")
                case "QUIT":
                    await self._say(writer, "quit", b"221 bye\r\n")
                    break
                case verb:
                    await self._say(writer, verb.lower(), b"250 2.1.0 ok\r\n")
        writer.close()

    async def _message(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._say(writer, "message", b"")
        message = bytearray(b"\r\n")
        while not message.endswith(b"\r\n.\r\n"):
            message += await reader.readuntil(b".\r\n")
        self.messages.append(bytes(message[2:-3]))
        await self._say(writer, "dot", b"250 2.0.0 queued\r\n")

    async def _say(self, writer: asyncio.StreamWriter, event: str, good: bytes) -> bytes:
        said = self.script.get(event, good)
        if said is Act.HANG_UP:
            writer.transport.abort()
            raise ConnectionAbortedError
        if isinstance(said, Act):
            cast(asyncio.ReadTransport, writer.transport).pause_reading()
            await asyncio.sleep(60)
            return b""
        for packet in [said] if isinstance(said, bytes) else said:
            writer.write(packet)
            await writer.drain()
            if not isinstance(said, bytes):
                await asyncio.sleep(0.001)
        return said if isinstance(said, bytes) else b"".join(said)


class _Recorder(asyncio.StreamReader):
    """Keeps each packet as it came."""

    def __init__(self, packets: list[bytes]) -> None:
        super().__init__(limit=2**25)
        self._packets = packets

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        self._packets.append(bytes(data))
        super().feed_data(data)


@asynccontextmanager
async def scripted(server: ScriptedServer) -> AsyncIterator[int]:
    """The server's port, while it listens."""
    loop = asyncio.get_running_loop()
    conversations: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        conversations.add(task)
        try:
            await server.converse(reader, writer)
        except (EOFError, ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass  # the other side hung up, or the test is over
        finally:
            writer.transport.abort()
            conversations.discard(task)

    listener = await loop.create_server(
        lambda: asyncio.StreamReaderProtocol(_Recorder(server.packets), converse),
        "127.0.0.1",
        0,
        ssl=server.certificate if server.implicit else None,
    )
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for task in list(conversations):
            task.cancel()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(server: ScriptedServer, timeouts: Timeouts = SHORT, **account: Any) -> AsyncIterator[SmtpTransport]:
    async with scripted(server) as port:
        settings = Account(host="127.0.0.1", port=port, from_address="crm@example.com", **account)
        transport = SmtpTransport(settings, lambda: settings.limits, timeouts)
        try:
            yield transport
        finally:
            await transport.close()


async def sent_to(server: ScriptedServer, mail: Mail = MAIL, deadline: float | None = None) -> Reply | InDoubt:
    async with connected(server) as transport:
        return await transport.send(mail, deadline=deadline)
