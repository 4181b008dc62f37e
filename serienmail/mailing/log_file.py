"""A log file and the one it was rotated from, read from a time on without reading what is before."""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import BinaryIO

_ISO = re.compile(rb"\d{4}-\d\d-\d\dT\S+")
_TRADITIONAL = re.compile(rb"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d")
_NEAR = 65_536  # octets; below that it doesn't pay to look for a later beginning
_LINES_LOOKED_AT = 50  # some have no time stamp


def time_of(line: bytes, now: datetime) -> datetime | None:
    """A line's time stamp, RFC 3339 or the traditional one of RFC 3164, which has neither year nor zone.

    That one is taken as UTC and as not later than a day after ``now``; how far it is off is the caller's to measure.
    """
    try:
        if found := _ISO.match(line):
            stamp = datetime.fromisoformat(found[0].decode())
            return stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)
        if found := _TRADITIONAL.match(line):
            text = found[0].decode()
            latest = now + timedelta(days=1)
            return next(t for t in (_in_year(text, year) for year in (latest.year, latest.year - 1)) if t <= latest)
    except (ValueError, StopIteration):  # 29 February, or no time at all
        pass
    return None


def _in_year(text: str, year: int) -> datetime:
    return datetime.strptime(f"{year} {text}", "%Y %b %d %H:%M:%S").replace(tzinfo=UTC)


def says(log: Path, words: str, after: int) -> bytes | None:
    """The first whole line with these words behind an offset in octets."""
    with log.open("rb") as file:
        file.seek(after)
        return next((line for line in _whole_lines(file) if words.encode() in line), None)


def lines_since(log: Path, moment: datetime, now: datetime) -> Iterator[bytes]:
    """All whole lines since then, and some from before; if the first isn't older, the log doesn't reach back so far.

    moment, now: by the clock that wrote the log. OSError if it can't be read, or is rotated meanwhile. Rotation must
    rename it to ``<name>.1``: a copy loses lines before it cuts.
    """
    with ExitStack() as opened:
        files = [opened.enter_context(log.open("rb"))]
        begin = _last_before(files[0], moment, now)
        older = log.with_name(f"{log.name}.1")
        if begin is None and older.exists():
            files.insert(0, opened.enter_context(older.open("rb")))
            begin = _last_before(files[0], moment, now)
        for file in files:
            file.seek(begin or 0)
            begin = 0
            yield from _whole_lines(file)
        if os.fstat(files[-1].fileno()).st_ino != log.stat().st_ino or files[-1].tell() > log.stat().st_size:
            raise OSError(f"{log} was rotated while it was read.")


def _whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """The last one may still be being written."""
    for line in file:
        if line.endswith(b"\n"):
            yield line.rstrip(b"\r\n")


def _last_before(file: BinaryIO, moment: datetime, now: datetime) -> int | None:
    """The offset of a line that is older, if there is one; what stands before it is older still."""
    first, end = 0, os.fstat(file.fileno()).st_size
    if not _is_before(file, first, moment, now):
        return None
    while end - first > _NEAR:
        middle = (first + end) // 2
        file.seek(middle)
        file.readline()  # the rest of a line
        begin = file.tell()
        if _is_before(file, begin, moment, now):
            first = begin
        else:
            end = middle
    return first


def _is_before(file: BinaryIO, offset: int, moment: datetime, now: datetime) -> bool:
    """Whether the first time stamp from there on is."""
    file.seek(offset)
    for line in islice(file, _LINES_LOOKED_AT):
        if stamp := time_of(line, now):
            return stamp < moment
    return False
