"""From the bytes that a mail server sends to its replies, strictly (RFC 5321 4.2)."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([^\r\n\0]*))?")
_LONGEST_REPLY = 32_768  # octets; RFC 5321 4.5.3.1.5 has 512 a line, and nobody sends so many lines
_KEPT = 1_000


class Garbage(Exception):
    """What came is no reply: the conversation can't be trusted any more."""


class WireReply(NamedTuple):
    """A code with its text in one printable line: neither databases nor terminals take all that a server may say."""

    code: int
    text: str


class ReplyReader:
    """Takes bytes as they come, cut anywhere, and gives whole replies."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []
        self._code = b""
        self._size = 0

    @property
    def is_between_replies(self) -> bool:
        """Nothing of a next reply has come."""
        return not self._rest and not self._lines

    def feed(self, data: bytes) -> Iterator[WireReply]:
        """The replies that are complete now; Garbage for anything else, or too much of it."""
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        for line in lines:
            if (reply := self._take(line)) is not None:
                yield reply
        if self._size + len(self._rest) > _LONGEST_REPLY or b"\n" in self._rest:
            raise Garbage

    def _take(self, line: bytes) -> WireReply | None:
        found = _LINE.fullmatch(line)
        self._size += len(line)
        if found is None or self._size > _LONGEST_REPLY or (self._lines and found[1] != self._code):
            raise Garbage
        self._code = found[1]
        self._lines.append(found[3] or b"")
        if found[2] == b"-":
            return None
        text = b" ".join(self._lines)[:_KEPT].decode(errors="replace")
        self._lines, self._size = [], 0
        return WireReply(int(self._code), text if text.isprintable() else _printable(text))


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
