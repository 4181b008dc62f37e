"""Limits are off by default, and refuse in words."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from serienmail.domain.errors import InvalidOrder
from serienmail.domain.limits import Limits, check_slot

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_without_a_limit_any_number_is_due_at_once() -> None:
    check_slot(Limits(), NINE, [NINE] * 1000)


def test_one_too_many_in_a_slot_is_refused_and_the_next_slot_is_free() -> None:
    limits = Limits(mass_mails=2)
    others = [NINE, NINE + timedelta(minutes=59), NINE + timedelta(minutes=60)]
    check_slot(limits, NINE + timedelta(minutes=61), others)
    with pytest.raises(InvalidOrder, match="between 2026-03-02 09:00 and 10:00 UTC"):
        check_slot(limits, NINE + timedelta(minutes=30), others)


def test_slots_are_the_same_in_every_time_zone() -> None:
    limits = Limits(slot_minutes=24 * 60)
    late = datetime(2026, 3, 2, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert limits.slot(late) == datetime(2026, 3, 3, tzinfo=UTC)


@pytest.mark.parametrize("wrong", [{"recipients": 0}, {"mass_mails": -5}, {"slot_minutes": 0}, {"slot_minutes": 1441}])
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        Limits(**wrong)
