"""Reading a log from a time on, across its rotation, and never less than was asked for."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from serienmail.mailing.log_file import lines_since, says, time_of

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "mail.log"


def lines(hours: Iterable[float], padding: int = 0) -> list[bytes]:
    """A line for each of these times, counted in hours from now."""
    return [f"{NOW + hour * HOUR:%b %e %H:%M:%S} relay x: {hour:.3f} {'.' * padding}".encode() for hour in hours]


def write(log: Path, some: Iterable[bytes]) -> None:
    log.write_bytes(b"".join(line + b"\n" for line in some))


def test_both_forms_of_time_stamps_are_read() -> None:
    assert time_of(b"Mar  2 11:59:58 relay x", NOW) == NOW - timedelta(seconds=2)
    assert time_of(b"2026-03-02T13:00:00.5+01:00 relay x", NOW) == NOW + timedelta(seconds=0.5)
    assert time_of(b"2026-03-02T12:00:00 relay x", NOW) == NOW
    assert time_of(b"    continued", NOW) is None
    assert time_of(b"Xxx 42 99:99:99 relay x", NOW) is None


def test_a_time_stamp_without_year_is_never_long_in_the_future() -> None:
    assert time_of(b"Dec 31 23:59:59 relay x", NOW) == datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)
    new_year = datetime(2026, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(0)))
    assert time_of(b"Jan  1 00:00:01 relay x", new_year) == datetime(2027, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_a_large_log_is_read_from_shortly_before_the_time_on(log: Path) -> None:
    written = lines([-1000 + number / 100 for number in range(100_000)])
    write(log, written)
    read = list(lines_since(log, NOW - 100 * HOUR, NOW))
    wanted = [line for line in written if (stamp := time_of(line, NOW)) and stamp >= NOW - 100 * HOUR]
    assert read[-len(wanted) :] == wanted
    assert len(read) < len(wanted) + 5_000


def test_a_log_that_was_rotated_since_is_read_from_the_older_file_on(log: Path) -> None:
    older, newer = lines([-30, -20, -10]), lines([-2, -1])
    write(log, newer)
    write(log.with_name("mail.log.1"), older)
    assert list(lines_since(log, NOW - 20 * HOUR, NOW)) == older + newer


def test_a_log_that_does_not_reach_back_far_enough_is_read_from_its_beginning(log: Path) -> None:
    older, newer = lines([-3]), lines([-2, -1])
    write(log, newer)
    assert list(lines_since(log, NOW - 3 * HOUR, NOW)) == newer
    write(log.with_name("mail.log.1"), older)
    assert list(lines_since(log, NOW - 4 * HOUR, NOW)) == older + newer


def test_a_log_that_is_rotated_or_cut_while_it_is_read_is_refused(log: Path) -> None:
    for happens in (lambda: log.rename(log.with_name("mail.log.1")), lambda: None):
        write(log, lines([-3, -2, -1]))
        read = lines_since(log, NOW - 2 * HOUR, NOW)
        next(read)
        happens()
        write(log, lines([-0.5]))
        with pytest.raises(OSError, match="rotated"):
            list(read)


def test_a_line_that_is_still_being_written_is_not_read(log: Path) -> None:
    log.write_bytes(b"\n".join([*lines([-3, -1]), b"Mar  2 12:00:00 relay x: hal"]))
    assert list(lines_since(log, NOW - 2 * HOUR, NOW)) == lines([-3, -1])


def test_words_are_looked_for_behind_an_offset(log: Path) -> None:
    write(log, [b"mark one", b"mark two"])
    assert says(log, "mark", after=0) == b"mark one"
    assert says(log, "mark", after=5) == b"mark two"
    assert says(log, "three", after=0) is None
