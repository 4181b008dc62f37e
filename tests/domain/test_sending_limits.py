"""SendingLimits hold in every span of their length, and what they allow is used."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serienmail.domain.errors import InvalidOrder
from serienmail.domain.sending_limits import SKEW, Meter, SendingLimits, grant
from tests.builders import NOON

asks = st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 12)), max_size=60)
"""(milliseconds since the one before, mails wanted)"""


@given(st.integers(1, 20), st.integers(1, 100), asks)
def test_in_no_span_of_its_length_more_go_out_than_a_limit_allows(
    second: int, minute: int, asked: list[tuple[int, int]]
) -> None:
    limits, meter, now, out = SendingLimits(per_second=second, per_minute=minute), Meter(), NOON, []
    for milliseconds, wanted in asked:
        now += timedelta(milliseconds=milliseconds % 3_000)
        granted = grant(limits, meter, wanted, now)
        meter = granted.meter
        out += [now] * granted.mails
    for begin in out:
        assert sum(begin <= at <= begin + timedelta(seconds=1) for at in out) <= second
        assert sum(begin <= at <= begin + timedelta(minutes=1) for at in out) <= minute


@given(st.integers(1, 50), st.sampled_from(["per_second", "per_minute", "per_hour", "per_day"]))
def test_over_time_nine_tenths_of_a_limit_at_least_go_out(limit: int, name: str) -> None:
    span = timedelta(seconds={"per_second": 1, "per_minute": 60, "per_hour": 3_600, "per_day": 86_400}[name])
    limits, meter, now, out = SendingLimits(**{name: limit}), Meter(), NOON, 0
    while now <= NOON + 22 * span:
        granted = grant(limits, meter, 1_000, now)
        meter, out = granted.meter, out + granted.mails
        assert granted.next_at is not None
        assert granted.next_at > now
        now = granted.next_at
    assert out >= limit * 22 * 0.9


@given(asks)
def test_when_it_says_that_there_is_room_again_there_is(asked: list[tuple[int, int]]) -> None:
    limits, meter, now = SendingLimits(per_second=3, per_minute=40, block=7, pause_minutes=2), Meter(), NOON
    for milliseconds, wanted in asked:
        now += timedelta(milliseconds=milliseconds)
        granted = grant(limits, meter, wanted, now)
        assert (granted.mails == wanted) or granted.next_at
        if granted.next_at:
            assert grant(limits, granted.meter, 1, granted.next_at).mails == 1
        meter = granted.meter


@given(asks)
def test_after_a_block_nothing_goes_out_for_its_pause(asked: list[tuple[int, int]]) -> None:
    limits, meter, now, out = SendingLimits(block=5, pause_minutes=1), Meter(), NOON, []
    for milliseconds, wanted in asked:
        now += timedelta(milliseconds=milliseconds)
        granted = grant(limits, meter, wanted, now)
        meter = granted.meter
        out += [now] * granted.mails
    since_pause = 0
    for n, at in enumerate(out):
        paused = n > 0 and at - out[n - 1] >= timedelta(minutes=1)
        since_pause = 1 if paused else since_pause + 1
        assert since_pause <= 5


@given(st.lists(st.integers(-5_000, 5_000), max_size=40))
def test_a_clock_that_goes_back_neither_exceeds_a_limit_nor_blocks_for_long(jumps: list[int]) -> None:
    limits, meter = SendingLimits(per_minute=10), Meter()
    for seconds in jumps:
        now = NOON + timedelta(seconds=seconds)
        granted = grant(limits, meter, 100, now)
        assert sum(granted.meter.counts["per_minute"].values()) <= 10
        assert granted.next_at is not None
        assert granted.next_at <= now + SKEW + timedelta(minutes=1.1)
        meter = granted.meter


def test_the_reason_says_how_many_are_out() -> None:
    granted = grant(SendingLimits(per_hour=30, per_second=100), Meter(), 100, NOON)
    assert (granted.mails, granted.reason) == (30, "30 an hour are out")
    assert granted.next_at == NOON + timedelta(minutes=66)
    assert grant(SendingLimits(block=50, pause_minutes=5), Meter(), 60, NOON).reason == "a block of 50 is out"


def test_a_share_of_the_limits_leaves_at_least_one_of_each() -> None:
    limits = SendingLimits(connections=5, per_minute=1, mails_per_connection=50)
    assert limits.scaled(0.5) == SendingLimits(connections=2, per_minute=1, mails_per_connection=50)
    assert limits.scaled(1) is limits


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"per_fortnight": 3}, "There is no limit 'per_fortnight'"),
        ({"per_hour": 0}, "must be at least 1"),
        ({"block": 50}, "A block needs a pause"),
        ({"connections": None}, "can't be without a limit"),
    ],
)
def test_limits_that_make_no_sense_are_refused(changes: dict[str, int | None], says: str) -> None:
    with pytest.raises(InvalidOrder, match=says):
        SendingLimits(connections=10).with_changes(changes)
