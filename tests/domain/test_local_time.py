"""Nine o'clock is nine o'clock in each recipient's zone, also when the clocks change."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from serienmail.domain.local_time import first_moment, in_zone, own_moment, passed, unknown

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("zone", "utc"),
    [
        ("Europe/Berlin", "08:00"),
        ("Europe/London", "09:00"),
        ("America/New_York", "14:00"),
        ("Asia/Kolkata", "03:30"),
        ("Pacific/Kiritimati", "19:00 the day before"),
        (" UTC ", "09:00"),
    ],
)
def test_the_clock_shows_the_same_time_everywhere(zone: str, utc: str) -> None:
    moment = in_zone(datetime(2026, 12, 1, 9, tzinfo=BERLIN), zone)
    assert moment is not None
    day = " the day before" if moment.day == 30 else ""
    assert f"{moment:%H:%M}{day}" == utc


def test_a_mail_over_a_change_of_the_clocks_keeps_its_hour() -> None:
    for day, hour in ((28, 8), (29, 7)):  # clocks went forward on 29 March 2026
        due = datetime(2026, 3, day, 9, tzinfo=UTC)
        assert in_zone(due, "Europe/Berlin") == due.replace(hour=hour)


def test_a_time_that_the_clocks_leave_out_comes_as_if_they_had_not_changed() -> None:
    due = datetime(2026, 3, 29, 2, 30, tzinfo=UTC)
    assert in_zone(due, "Europe/Berlin") == due.replace(hour=1)


def test_of_a_time_that_comes_twice_the_first_is_taken() -> None:
    for fold in (0, 1):
        due = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold)
        assert in_zone(due, "Europe/Berlin") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["", "  ", "Mars/Olympus", "../etc/passwd", "Europe", "a\0b", "x" * 300])
def test_a_zone_that_does_not_exist_is_none(zone: str) -> None:
    assert in_zone(datetime(2026, 12, 1, 9, tzinfo=UTC), zone) is None


def test_who_has_no_zone_of_their_own_lives_in_the_account_s() -> None:
    due = datetime(2026, 12, 1, 9, tzinfo=UTC)
    for zone in ("", "Mars/Olympus"):
        assert own_moment(due, zone, "Europe/Berlin") == due - timedelta(hours=1)
        assert own_moment(due, zone) == due
    assert own_moment(due, "America/New_York", "Europe/Berlin") == due + timedelta(hours=5)


def test_the_first_moment_is_never_after_any_zone_s() -> None:
    due = datetime(2026, 12, 1, 9, tzinfo=timezone(timedelta(hours=1)))
    assert first_moment(due) == in_zone(due, "Pacific/Kiritimati") == datetime(2026, 11, 30, 19, tzinfo=UTC)


def test_it_is_known_for_whom_the_time_has_passed_and_whose_zone_does_not_exist() -> None:
    zones = {"Asia/Kolkata": 3, "": 2, "America/New_York": 5, "Mars/Olympus": 1}
    due = datetime(2026, 12, 1, 9, tzinfo=UTC)
    assert passed(zones, due, due - timedelta(hours=1)) == 3
    assert passed(zones, due, due + timedelta(hours=1)) == 6
    assert passed(zones, due, due - timedelta(minutes=30), home="Europe/Berlin") == 6
    assert unknown(zones) == 1
