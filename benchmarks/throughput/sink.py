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
    b"EHLO": b"250-localhost\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 2.0.0 bye\r\n",
}
_OK = b"250 2.0.0 ok\r\n"


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
        self._in_message = False

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
        end = _END if self._in_message else b"\r\n"
        while (length := self._buffer.find(end)) >= 0:
            taken, self._buffer = self._buffer[:length], self._buffer[length + len(end) :]
            yield self._message(taken) if self._in_message else self._command(taken)
            end = _END if self._in_message else b"\r\n"

    def _message(self, data: bytes) -> bytes:
        self._in_message = False
        self._record.message(data)
        return _OK

    def _command(self, command: bytes) -> bytes:
        name = command[:4].upper()
        if name == b"RCPT":
            self._record.recipient(command)
        self._in_message = name == b"DATA"
        return _ANSWERS.get(name, _OK)


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
