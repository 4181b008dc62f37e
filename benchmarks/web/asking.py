"""Asks a web server over kept connections, one request after the other on each, and counts what it answered."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic


@dataclass(frozen=True, slots=True)
class Request:
    """kind: what to count it as. body: of a form; empty: it is a GET."""

    kind: str
    path: str
    body: str = ""

    @property
    def as_bytes(self) -> bytes:
        """As it goes over the wire."""
        method = "POST" if self.body else "GET"
        head = (
            f"{method} {self.path} HTTP/1.1\r\nHost: links.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
        )
        form = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(self.body)}\r\n"
        return f"{head}{form if self.body else ''}\r\n{self.body}".encode()


@dataclass
class Answers:
    """answered: requests by kind that got 200 or 302. others: by status; "none" if the connection broke.

    longest: seconds that an answer took at most. seconds: that all took together.
    """

    answered: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    seconds: float = 0.0


async def ask(port: int, requests: Iterator[Request], connections: int, per_second: int) -> Answers:
    """All of these, on loopback. per_second: no more than that; 0: as fast as they are answered."""
    answers, began, asked = Answers(), monotonic(), 0

    async def one_after_the_other() -> None:
        nonlocal asked
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in requests:
            asked += 1
            if per_second and (early := asked / per_second - (monotonic() - began)) > 0:
                await asyncio.sleep(early)
            since = monotonic()
            try:
                status = await _answer(reader, writer, request)
            except (OSError, EOFError):
                answers.others["none"] += 1
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                continue
            answers.longest = max(answers.longest, monotonic() - since)
            if status in ("200", "302"):
                answers.answered[request.kind] += 1
            else:
                answers.others[status] += 1
        writer.close()

    await asyncio.gather(*(one_after_the_other() for _ in range(connections)))
    answers.seconds = monotonic() - began
    return answers


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> str:
    """The status."""
    writer.write(request.as_bytes)
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length or 0))
    return head[9:12].decode()
