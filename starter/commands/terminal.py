"""How things are said on a terminal: at 80 columns, without colours, with times of the local zone."""

import re
import signal
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from rich.console import Console
from rich.table import Table

_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves the cursor, or turns what follows around, in a file's name or a person's; and halves of characters."""
LITERAL = {"markup": False, "emoji": False, "highlight": False}
"""Names and texts are people's: nothing in them is a colour or a smiley."""
_TIMES = ("due", "next", "next due")


def say(sentence: str = "") -> None:
    """One line or paragraph, wrapped."""
    Console(**LITERAL).print(_plain(sentence))  # type: ignore[arg-type]  # all of LITERAL are booleans that Console takes


def _plain(text: str) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def say_as_it_is(text: str) -> None:
    """A mail's own text, with its own lines."""
    print(text)


def say_error(sentence: str) -> None:
    """A sentence on the error output; wrapped if a person reads it, in one line if a program does."""
    console = Console(stderr=True, **LITERAL)  # type: ignore[arg-type]
    text = _plain(sentence.strip())
    text = text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
    console.print(text, soft_wrap=not console.is_terminal)


def say_json(document: object) -> None:
    """The one document of a command; dataclasses, times and enumerations as JSON has them."""
    from pydantic_core import to_json

    print(to_json(document, indent=2).decode())


def ask(question: str) -> bool:
    """Yes, or anything else. On the error output, so that the other one stays a document."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio's would wait for the answer, too
    try:
        print(f"{_plain(question)} [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().casefold() in ("y", "yes")
    finally:
        signal.signal(signal.SIGINT, before)


def say_table(headings: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()) -> None:
    """A table that folds what is too wide, but never a time. numbers: the columns that stand at the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    right = set(numbers)
    for column, heading in enumerate(headings):
        justify: Literal["left", "right"] = "right" if column in right else "left"
        table.add_column(heading, overflow="fold", justify=justify, no_wrap=heading in _TIMES)
    for row in rows:
        table.add_row(*map(_plain, row))
    Console(**LITERAL).print(table)  # type: ignore[arg-type]


def bar(share: float, width: int = 20) -> str:
    """A share from 0 to 1 as a bar; whatever is more than nothing is seen."""
    eighths = max(round(share * width * 8), share > 0)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def moment(at: datetime | None) -> str:
    """A time in the local zone, with its offset; a dash for none."""
    return at.astimezone().isoformat(sep=" ", timespec="minutes") if at else "–"


def words(code: str) -> str:
    """A state or audience in words."""
    return code.replace("_", " ")
