"""A mail server in a process of its own that accepts everything, keeps nothing, and counts: python -m …sink

Its port is the first line it prints. For each line it reads it prints what has come since; it ends with its input.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import cast

import uvloop

_END = b"\r\n.\r\n"
_ANSWERS = {
    b"EHLO": b"250-localhost\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 8BITMIME\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 2.0.0 bye\r\n",
}
_OK = b"250 2.0.0 ok\r\n"
_NO_RECIPIENT = b"503 5.5.1 no recipient\r\n"


class Record:
    """What has come since somebody asked."""

    def __init__(self) -> None:
        self._messages = 0
        self._recipients: set[bytes] = set()
        self._ids: set[bytes] = set()

    def recipient(self, command: bytes) -> None:
        """One RCPT TO."""
        self._recipients.add(command)

    def message(self, data: bytes) -> None:
        """One message, known by its Message-ID."""
        self._messages += 1
        self._ids.add(data.partition(b"\r\nMessage-ID: ")[2].partition(b"\r\n")[0])

    def take(self) -> dict[str, int]:
        """The counts, which begin again."""
        counts = {"messages": self._messages, "distinct": min(len(self._recipients), len(self._ids))}
        self._messages = 0
        self._recipients.clear()
        self._ids.clear()
        return counts


class Conversation(asyncio.Protocol):
    """One connection."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._buffer = b""
        self._receive = self._command
        self._octets: int | None = None  # of the chunk that comes next; None: lines come
        self._has_recipient = False
        self._message = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own isn't a subclass
        self._transport.write(b"220 localhost\r\n")

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self._buffer += data
        answers = b"".join(self._answers())
        if answers:
            self._transport.write(answers)
        if answers.endswith(_ANSWERS[b"QUIT"]):
            self._transport.close()

    def _answers(self) -> Iterator[bytes]:
        while (taken := self._taken()) is not None:
            yield self._receive(taken)

    def _taken(self) -> bytes | None:
        """The next command, message or chunk, if all of it is there."""
        if self._octets is None:
            mark = b"\r\n" if self._receive == self._command else _END
            end = self._buffer.find(mark)
        else:
            mark, end = b"", self._octets if self._octets <= len(self._buffer) else -1
        if end < 0:
            return None
        taken, self._buffer = self._buffer[:end], self._buffer[end + len(mark) :]
        return taken

    def _command(self, command: bytes) -> bytes:
        name = command[:4].upper()
        if name == b"RCPT":
            self._has_recipient = True
            self._record.recipient(command)
        elif name == b"DATA":
            self._receive = self._last
        elif name == b"BDAT":
            _, octets, *last = command.split()
            self._octets, self._receive = int(octets), self._last if last else self._part
            return b""
        return _ANSWERS.get(name, _OK)

    def _part(self, chunk: bytes) -> bytes:
        self._octets, self._receive = None, self._command
        self._message += chunk
        return _OK if self._has_recipient else _NO_RECIPIENT

    def _last(self, chunk: bytes) -> bytes:
        """Of several chunks, or the whole message."""
        answer = self._part(chunk)
        if self._has_recipient:
            self._record.message(self._message)
        self._message, self._has_recipient = b"", False
        return answer


async def serve() -> None:
    """Until the input ends."""
    record = Record()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(record), "127.0.0.1", 0, backlog=1000)
    questions = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    print(server.sockets[0].getsockname()[1], flush=True)
    while await questions.readline():
        print(json.dumps(record.take()), flush=True)


if __name__ == "__main__":
    uvloop.run(serve())
