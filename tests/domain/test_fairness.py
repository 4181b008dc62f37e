"""Mass mails that share an account get as much as each other, and what one doesn't want the other gets."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from serienmail.domain.fairness import LOOKS_AGAIN, Fairness
from serienmail.domain.sending_limits import Meter, SendingLimits, grant
from tests.builders import NOON

SECOND = timedelta(seconds=1)


def test_who_is_alone_may_have_all() -> None:
    assert Fairness().share("a", 30, NOON) == 30
    assert Fairness().waits("a", NOON + SECOND, NOON).share("a", 30, NOON) == 30


def test_of_what_two_want_each_gets_half() -> None:
    fairness = Fairness().waits("b", NOON + SECOND, NOON)
    now = NOON + SECOND
    assert fairness.share("a", 10, now) == 5
    fairness = fairness.took("a", 5, now)
    assert fairness.share("a", 5, now) == 0
    assert fairness.share("b", 5, now) == 5


def test_a_share_that_nobody_comes_for_is_given_to_who_is_there() -> None:
    fairness = Fairness().waits("b", NOON + SECOND, NOON).took("a", 5, NOON + SECOND)
    assert fairness.share("a", 5, NOON + SECOND) == 0
    assert fairness.share("a", 5, NOON + 3 * SECOND) == 5


def test_a_clock_that_was_wrong_keeps_nothing_for_anybody() -> None:
    ahead = NOON + timedelta(days=1)
    fairness = Fairness().waits("b", ahead + timedelta(hours=1), ahead)
    assert fairness.share("a", 10, NOON) == 10


def test_who_comes_later_has_no_claim_to_what_went_before() -> None:
    fairness = Fairness().waits("b", NOON + SECOND, NOON).took("a", 100, NOON).took("b", 100, NOON)
    fairness = fairness.waits("c", NOON + SECOND, NOON)
    assert fairness.waiting["c"].had == 100


@given(
    st.integers(3, 40),
    st.lists(st.integers(1, 12), min_size=2, max_size=2),
    st.lists(st.integers(20, 300), min_size=2, max_size=2),
)
def test_in_every_ten_seconds_two_greedy_mass_mails_get_40_to_60_percent_each(
    per_second: int, lanes: list[int], every: list[int]
) -> None:
    """lanes: how many mails each asks for at a time. every: how often each asks, in milliseconds, if it may."""
    limits, meter, fairness, now = SendingLimits(per_second=per_second), Meter(), Fairness(), NOON
    comes, got = {"a": now, "b": now}, {"a": list[datetime](), "b": list[datetime]()}
    while now < NOON + 31 * SECOND:
        who, now = min(comes.items(), key=lambda item: item[1])
        index = "ab".index(who)
        room = grant(limits, meter, 10_000, now).mails
        wanted = min(lanes[index], fairness.share(who, room, now))
        granted = grant(limits, meter, wanted, now)
        meter, fairness = granted.meter, fairness.took(who, granted.mails, now) if granted.mails else fairness
        got[who] += [now] * granted.mails
        comes[who] = now + timedelta(milliseconds=every[index])
        if granted.mails < lanes[index]:
            again = granted.next_at or now + LOOKS_AGAIN
            fairness = fairness.waits(who, again, now)
            comes[who] = max(again, comes[who])
    saturated = all(lanes[n] * 1_000 / every[n] > per_second for n in (0, 1))
    for begin in range(1, 20):
        mails = [sum(NOON + begin * SECOND <= at < NOON + (begin + 10) * SECOND for at in got[who]) for who in "ab"]
        if saturated:
            assert 0.4 <= mails[0] / sum(mails) <= 0.6
            assert sum(mails) >= per_second * 10 * 0.75
