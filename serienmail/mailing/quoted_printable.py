"""Bodies in quoted-printable (RFC 2045 6.7); of a stage's bodies, only what differs is encoded for each mail."""

import re
from binascii import b2a_qp
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, groupby
from operator import itemgetter

from serienmail.domain.errors import TemplateFault

_LONG_LINE = 500
_PIECES = re.compile(rf"[^>]{{1,{_LONG_LINE}}}>?|>")
_HOLE = "\0"
_SOFT_BREAK = b"=\r\n"
_NOWHERE = -1
_KEPT = 1_048_576  # bytes that one run may keep, more or less…
_KEPT_A_LITERAL = 256  # …of which a literal takes this much in each case, and its whole lines besides


def quoted_printable(body: str) -> bytes:
    """Line by line, with CRLF; TemplateFault for half a character.

    A long line, such as editors write HTML in, is taken tag by tag, with a soft line break between.
    """
    return b"\r\n".join([_line(line) for line in _lines(body)])


class Frame:
    """A body with holes, encoded once but for them: the same bytes as ``quoted_printable`` gives for the whole.

    literals: the text around the holes, one more than there are holes. order: which filling goes into each hole.
    """

    def __init__(self, literals: Sequence[str], order: Sequence[int]) -> None:
        first, *others = ["\n".join(_lines(literal)) for literal in literals]
        self._room = _room([first, *others])
        start = _Literal(f"\n{first}", is_last=not others)  # no hole before it: its lines are whole
        self._column, self._start = start.last_column, start.rest.removeprefix(b"\r\n")
        after = [_Literal(text, is_last=number == len(others)) for number, text in enumerate(others, 1)]
        runs = groupby(zip(order, after, strict=True), key=itemgetter(0))
        self._runs = [(index, _Run([literal for _, literal in run])) for index, run in runs]

    def encoded(self, fillings: Sequence[str]) -> bytes | None:
        """With these in the holes; None if one is empty, breaks its line or makes it a long one."""
        for text in fillings:
            if not (0 < len(text) <= self._room and text.isprintable()):
                return None
        column, pieces = self._column, [self._start]
        for index, run in self._runs:
            column, octets = run.filled(fillings[index], column)
            pieces += octets, run.rest
        return b"".join(pieces)


class _Run:
    """Holes in a row that take the same filling, each with the literal after it. rest: the last one's.

    Where soft line breaks fall depends on how full the line is where the run begins, and on the filling; on no more
    than its length if each of its characters takes one column. What stands around such a filling is kept for each
    case, as it comes up.
    """

    def __init__(self, literals: Sequence["_Literal"]) -> None:
        self.rest, literals[-1].rest = literals[-1].rest, b""  # it is the same in each case
        self._literals = literals
        self._most_kept = _KEPT // sum(_KEPT_A_LITERAL + len(literal.rest) for literal in literals)
        self._kept: dict[tuple[int, int], tuple[int, int, list[bytes]]] = {}

    def filled(self, text: str, column: int) -> tuple[int, bytes]:
        """In a line that holds so many characters already: how many it holds then, and the run but for its ``rest``."""
        if not text.isascii() or "=" in text or text.endswith((" ", ".")):  # those two are encoded at some line ends
            return self._hole_by_hole(text, column, keep=False)
        kept = self._kept.get((column, len(text)))
        if kept is None:
            return self._hole_by_hole(text, column, keep=True)
        column, break_at, around = kept
        octets = text.encode()
        if break_at != _NOWHERE:
            octets = octets[:break_at] + _SOFT_BREAK + octets[break_at:]
        return column, octets.join(around)

    def _hole_by_hole(self, text: str, column: int, *, keep: bool) -> tuple[int, bytes]:
        case, fillings, around = (column, len(text)), list[bytes](), [b""]
        for literal in self._literals:
            column, octets = _continued(text, column, is_last=literal.ends_at_once)
            fillings.append(octets)
            column, octets = literal.kept.get(column) or literal.after(column)
            around.append(octets + literal.rest)
        filling, *others = fillings
        same_everywhere = all(other == filling for other in others) and filling.count(_SOFT_BREAK) <= 1
        if keep and same_everywhere and len(self._kept) < self._most_kept:
            self._kept[case] = column, filling.find(_SOFT_BREAK), around
        return column, b"".join(chain.from_iterable(zip(around, [*fillings, b""], strict=True)))


class _Literal:
    """The text after a hole: up to the end of its line, and the lines after it, if the line ends, encoded."""

    __slots__ = ("_tail", "ends", "ends_at_once", "kept", "last_column", "rest")

    def __init__(self, text: str, *, is_last: bool) -> None:
        self._tail, line_end, following = text.partition("\n")
        self.ends = is_last or line_end != ""
        self.ends_at_once = self.ends and self._tail == ""  # what fills the hole before it is the last of its line
        self.kept: dict[int, tuple[int, bytes]] = {}
        self.last_column, self.rest = 0, b""
        if line_end:
            *lines, begun = following.split("\n")
            self.last_column, octets = (0, _line(begun)) if is_last else _continued(begun, 0)
            self.rest = b"\r\n".join([b"", *map(_line, lines), octets])

    def after(self, column: int) -> tuple[int, bytes]:
        """Without ``rest``, where the line holds so many characters already; how many its last line holds then."""
        after, octets = _continued(self._tail, column, is_last=self.ends)
        self.kept[column] = self.last_column if self.ends else after, octets
        return self.kept[column]


def _continued(text: str, column: int, *, is_last: bool = False) -> tuple[int, bytes]:
    """Text in a line that holds so many characters already; how many then. is_last: the line ends after it."""
    before, after = b"x" * column, b"" if is_last else b"x"
    octets = b2a_qp(before + _octets(text) + after)
    octets = octets[: len(octets) - len(after)]
    return len(octets) - octets.rfind(b"\n") - 1, octets[column:].replace(b"\n", b"\r\n")


def _room(literals: Sequence[str]) -> int:
    """How long a filling may be without making a line a long one."""
    if any(_HOLE in literal for literal in literals):
        return 0
    lines = [line for line in _HOLE.join(literals).split("\n") if _HOLE in line]
    return min(((_LONG_LINE + line.count(_HOLE) - len(line)) // line.count(_HOLE) for line in lines), default=0)


def _lines(body: str) -> list[str]:
    return body.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _line(line: str) -> bytes:
    if len(line) <= _LONG_LINE:
        return _encoded_line(line)
    return b"=\r\n".join([_encoded_line(piece) for piece in _PIECES.findall(line)])


@lru_cache(maxsize=4096)  # a few MB at most; the lines that differ are forgotten first
def _encoded_line(line: str) -> bytes:
    return b2a_qp(_octets(line)).replace(b"\n", b"\r\n")


def _octets(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise TemplateFault("the mail would hold half a character; remove it from the data.") from None
