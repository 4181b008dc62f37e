"""A provider that wants less gets less, and by and by more again."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from serienmail.domain.back_off import LEAST_SHARE, RAMP, BackOff, accepted, throttled, unwanted
from tests.builders import NOON

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def test_a_throttled_provider_rests_a_minute_and_then_gets_half() -> None:
    trouble = throttled(None, NOON, "421 4.7.28")
    assert trouble.rests(NOON)
    assert not trouble.rests(NOON + MINUTE)
    assert (trouble.share, trouble.reply) == (0.5, "421 4.7.28")


def test_a_clock_that_went_back_further_than_the_pause_ends_it() -> None:
    trouble = throttled(None, NOON, "421")
    assert trouble.rests(NOON + timedelta(seconds=1))
    assert not trouble.rests(NOON - MINUTE)
    assert not trouble.rests(NOON - 3 * MINUTE)


def test_the_pause_doubles_up_to_an_hour_while_nothing_is_accepted() -> None:
    now, pauses, trouble = NOON, list[timedelta](), None
    for _ in range(8):
        trouble = throttled(trouble, now, "421")
        pauses.append(trouble.until - now)
        now = trouble.until
    assert pauses == [MINUTE * 2**n for n in range(6)] + [HOUR, HOUR]


def test_once_something_was_accepted_the_next_pause_is_a_minute_again_at_a_smaller_share() -> None:
    trouble = throttled(throttled(None, NOON, "421"), NOON + MINUTE, "421")
    later = trouble.until
    better = accepted(trouble, later)
    assert better is not None
    again = throttled(better, later, "421")
    assert (again.until - later, again.share) == (MINUTE, trouble.share / 2)


def test_answers_to_mails_that_were_in_hand_when_the_pause_began_change_nothing() -> None:
    trouble = throttled(None, NOON, "421")
    assert throttled(trouble, NOON + MINUTE / 2, "421") is trouble
    assert accepted(trouble, NOON + MINUTE / 2) is trouble


def test_a_provider_that_accepts_again_gets_twice_as_much_every_few_minutes_until_all_is_well() -> None:
    trouble: BackOff | None = throttled(throttled(None, NOON, "421"), NOON + MINUTE, "421")
    assert trouble is not None
    now, shares = trouble.until, list[float]()
    while trouble is not None:
        shares.append(trouble.share)
        trouble = accepted(trouble, now)
        now += RAMP
    assert shares == [0.25, 0.25, 0.5]
    assert now - NOON < timedelta(minutes=15)


def test_unwanted_mail_waits_an_hour_then_one_is_tried_and_the_wait_doubles_up_to_a_day() -> None:
    now, pauses, trouble = NOON, list[timedelta](), None
    for _ in range(7):
        trouble = unwanted(trouble, now, "550 5.7.1")
        pauses.append(trouble.until - now)
        now = trouble.until
        assert not trouble.rests(now)
        assert trouble.probes
        trouble = trouble.probed(now)
        assert trouble.rests(now)
        now += timedelta(seconds=2)
    assert pauses == [HOUR, HOUR * 2, HOUR * 4, HOUR * 8, HOUR * 16, HOUR * 24, HOUR * 24]


def test_a_tried_mail_that_is_accepted_ends_the_wait_for_the_others() -> None:
    trouble = unwanted(None, NOON, "550 5.7.1")
    assert accepted(trouble, NOON + MINUTE) is trouble  # it was in hand before
    probed = trouble.probed(trouble.until)
    assert accepted(probed, probed.until - MINUTE) is None


def test_a_tried_mail_that_tells_nothing_lets_the_next_one_go_soon() -> None:
    probed = unwanted(None, NOON, "550 5.7.1").probed(NOON + HOUR)
    assert not probed.rests(NOON + HOUR + timedelta(minutes=5))


@given(st.lists(st.tuples(st.integers(-7_200, 7_200), st.booleans()), max_size=40))
def test_whatever_the_clock_does_a_rest_is_an_hour_at_most_and_a_share_is_left(steps: list[tuple[int, bool]]) -> None:
    trouble: BackOff | None = None
    now: datetime = NOON
    for seconds, good in steps:
        now += timedelta(seconds=seconds)
        if not good:
            trouble = throttled(trouble, now, "421")
        elif trouble:
            trouble = accepted(trouble, now)
        if trouble:
            assert not trouble.rests(trouble.until)
            assert not trouble.rests(trouble.until - HOUR - MINUTE)
            assert LEAST_SHARE <= trouble.share <= 1
