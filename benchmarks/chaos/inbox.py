"""A mail server that misbehaves, and keeps its own record of every mail it took responsibility for."""

import asyncio
import re
from collections import Counter, defaultdict
from enum import StrEnum
from random import Random

_MESSAGE_ID = re.compile(rb"^Message-ID: (<[^>\r\n]+>)", re.MULTILINE | re.IGNORECASE)
_LARGEST = 2**20
_OFFERS = (b"250 8BITMIME", b"250-PIPELINING\r\n250 8BITMIME", b"250-PIPELINING\r\n250-CHUNKING\r\n250 8BITMIME")
_REFUSED_CONNECTIONS = 0.02
_LONGEST_WAIT = 2.0  # seconds


class Fault(StrEnum):
    """What goes wrong with one mail."""

    NONE = "none"
    HANG_UP_BEFORE = "hangs up before the message"
    HANG_UP_AFTER_354 = "hangs up after asking for the message, or hearing that its chunk comes"
    HANG_UP_INSIDE = "hangs up in the middle of the message"
    ACCEPT_SILENTLY = "accepts, and hangs up without saying so"
    HANG_UP_AT_THE_END = "hangs up after the final dot, and doesn't accept"
    CLOSING = "421 at the recipient"
    BUSY = "450 at the recipient"
    LOCAL_ERROR = "451 after the final dot"
    NO_MAILBOX = "550 at the recipient"
    UNWANTED = "550 after the final dot"
    SLOW = "accepts slowly"


_WEIGHTS = dict.fromkeys(Fault, 1) | {Fault.NONE: 85, Fault.BUSY: 3, Fault.SLOW: 2}
_AT_THE_RECIPIENT = {
    Fault.CLOSING: b"421 4.3.2 closing",
    Fault.BUSY: b"450 4.2.0 busy",
    Fault.NO_MAILBOX: b"550 5.1.1 no such mailbox",
}
_AT_THE_END = {Fault.LOCAL_ERROR: b"451 4.3.0 local error", Fault.UNWANTED: b"550 5.1.1 no such mailbox after all"}


class _HangUp(Exception):
    """Ends a conversation without a word."""


class ChaosInbox:
    """Whether and how a mail fails depends on seed, recipient and try alone, whatever else happens at the time.

    accepted: recipient → Message-ID of each mail it decided to answer with 250, whether or not the answer got through.
    refused: recipient → its last refusal's code. begun: mails begun, tries included.
    cut: recipients whose conversation it broke off between 354, or reading the recipient whose message comes unasked
    in a chunk, and the sign that its answer had arrived. unread: conversations that it broke off while such a message
    may have lain unread, with its recipient.
    """

    def __init__(self, seed: int) -> None:
        self.accepted: defaultdict[str, list[str]] = defaultdict(list)
        self.refused: dict[str, int] = {}
        self.cut: set[str] = set()
        self.begun = self.unread = 0
        self.port = 0
        self._seed = seed
        self._connections = 0
        self._tries: Counter[str] = Counter()
        self._open: set[_Conversation] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen: on any port the first time, on the same one later."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, limit=_LARGEST)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Hang up on everybody."""
        if self._server is None:
            return
        self._server.close()
        for conversation in self._open:
            conversation.cut()
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        chance = Random(f"{self._seed} connection {self._connections}")
        conversation = _Conversation(self, reader, writer, chance.choice(_OFFERS))
        self._open.add(conversation)
        try:
            if chance.random() < _REFUSED_CONNECTIONS:
                await conversation.say(b"421 4.3.2 not now")
            else:
                await conversation.hold()
        except _HangUp:
            conversation.cut()
        except (EOFError, ConnectionError):
            pass  # the sender was killed, or the whole server is stopped
        finally:
            if conversation.is_cut and conversation.in_doubt:
                self.cut.add(conversation.in_doubt)
            elif conversation.is_cut and conversation.takes_chunks:
                self.unread += 1
            self._open.discard(conversation)
            writer.close()

    def next_try(self, recipient: str) -> Random:
        """The chances of this recipient's next mail."""
        self._tries[recipient] += 1
        return Random(f"{self._seed} {recipient} {self._tries[recipient]}")


class _Conversation:
    """One connection.

    in_doubt: the recipient of whose mail the sender may not know what became. is_cut: by this server, not the sender.
    """

    def __init__(
        self, inbox: ChaosInbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, offers: bytes
    ) -> None:
        self.in_doubt = ""
        self.is_cut = False
        self._inbox, self._reader, self._writer = inbox, reader, writer
        self.takes_chunks = b"CHUNKING" in offers
        self._offers = offers
        self._recipient = ""
        self._fault = Fault.NONE
        self._wait = 0.0

    def cut(self) -> None:
        """Hang up; what isn't sent yet never is."""
        self.is_cut = True
        self._writer.transport.abort()

    async def say(self, reply: bytes) -> None:
        self._writer.write(reply + b"\r\n")
        await self._writer.drain()

    async def hold(self) -> None:
        """From the greeting to the goodbye."""
        await self.say(b"220 localhost")
        while line := await self._reader.readline():
            self.in_doubt = ""  # it speaks again: the answer has arrived
            match line[:4].upper():
                case b"EHLO":
                    await self.say(self._offers)
                case b"RCPT":
                    await self._take_recipient(line)
                case b"DATA" if self._recipient:
                    await self._take_data()
                case b"DATA":
                    await self.say(b"554 5.5.1 no recipient")
                case b"BDAT":
                    await self._take_chunk(int(line.split()[1]))
                case b"QUIT":
                    await self.say(b"221 bye")
                case _:
                    await self.say(b"250 2.0.0 ok")

    async def _take_recipient(self, line: bytes) -> None:
        recipient = line[line.index(b"<") + 1 : line.index(b">")].decode()
        chance = self._inbox.next_try(recipient)
        self._fault = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        self._wait = chance.uniform(0.1, _LONGEST_WAIT) if self._fault is Fault.SLOW else 0.0
        self._inbox.begun += 1
        self.in_doubt = recipient if self.takes_chunks else ""
        if self._fault is Fault.HANG_UP_BEFORE:
            raise _HangUp
        if refusal := _AT_THE_RECIPIENT.get(self._fault):
            await self._refuse(recipient, refusal)
            if self._fault is Fault.CLOSING:
                raise _HangUp
            return
        self._recipient = recipient
        await self.say(b"250 2.1.5 ok")

    async def _take_data(self) -> None:
        self.in_doubt, self._recipient = self._recipient, ""
        await self.say(b"354 go on")
        await self._hang_up_early()
        await self._take_message(await self._reader.readuntil(b"\r\n.\r\n"))

    async def _take_chunk(self, octets: int) -> None:
        """All of a message; the sender sends no other chunks."""
        self.in_doubt, self._recipient = self._recipient, ""
        if not self.in_doubt:
            await self._reader.readexactly(octets)
            await self.say(b"503 5.5.1 no recipient")
            return
        await self._hang_up_early()
        await self._take_message(await self._reader.readexactly(octets))

    async def _hang_up_early(self) -> None:
        if self._fault is Fault.HANG_UP_AFTER_354:
            raise _HangUp
        if self._fault is Fault.HANG_UP_INSIDE:
            await self._reader.read(100)
            raise _HangUp

    async def _take_message(self, message: bytes) -> None:
        await asyncio.sleep(self._wait)
        if self._fault is Fault.HANG_UP_AT_THE_END:
            raise _HangUp
        if refusal := _AT_THE_END.get(self._fault):
            await self._refuse(self.in_doubt, refusal)
        else:
            await self._accept(self.in_doubt, message)

    async def _refuse(self, recipient: str, refusal: bytes) -> None:
        self._inbox.refused[recipient] = int(refusal[:3])
        await self.say(refusal)

    async def _accept(self, recipient: str, message: bytes) -> None:
        found = _MESSAGE_ID.search(message)
        self._inbox.accepted[recipient].append(found[1].decode() if found else "")
        if self._fault is Fault.ACCEPT_SILENTLY:
            raise _HangUp
        await self.say(b"250 2.0.0 accepted")
