"""What an answer means for a row of the ledger, and when a deferred mail is tried again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serienmail.domain.delivery import Answer, Claimed, Counts, Pause, Verdict, given_back, next_try_at, outcome
from serienmail.domain.states import DeliveryState
from tests.builders import KEY, NOON

moments = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # bounds


def a_claim(attempts: int = 1) -> Claimed:
    return Claimed(KEY, 7, "token", 1, "a@example.org", {}, False, "<1.0.7@main>", NOON, attempts)


@given(st.integers(1, 4), moments)
def test_a_next_try_is_at_a_full_minute_and_never_early(attempts: int, now: datetime) -> None:
    wait = [timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=4), timedelta(hours=24)][attempts - 1]
    at = next_try_at(attempts, now)
    assert at is not None
    assert (at.second, at.microsecond) == (0, 0)
    assert now + wait <= at < now + wait + timedelta(minutes=1)


@given(st.integers(5, 1000), moments)
def test_after_the_fifth_hand_over_there_is_no_next_try(attempts: int, now: datetime) -> None:
    assert next_try_at(attempts, now) is None


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (Verdict.ACCEPTED, DeliveryState.SENT),
        (Verdict.REJECTED, DeliveryState.REJECTED),
        (Verdict.FAILED, DeliveryState.FAILED),
        (Verdict.UNFILLED, DeliveryState.EXCLUDED),
        (Verdict.IN_DOUBT, DeliveryState.UNKNOWN),
    ],
)
def test_every_verdict_has_its_state_and_keeps_the_servers_words(verdict: Verdict, state: DeliveryState) -> None:
    kept = outcome(a_claim(), Answer(verdict, "250 ok"), NOON)
    assert (kept.key, kept.seq, kept.token, kept.state, kept.at) == (KEY, 7, "token", state, NOON)
    assert (kept.reply, kept.next_try_at) == ("250 ok", None)


def test_a_deferred_mail_is_tried_again_until_its_last_try_failed() -> None:
    tries = [outcome(a_claim(attempts), Answer(Verdict.DEFERRED, "451 later"), NOON) for attempts in range(1, 6)]
    assert [each.state for each in tries] == [DeliveryState.DEFERRED] * 4 + [DeliveryState.FAILED]
    assert [each.next_try_at is None for each in tries] == [False] * 4 + [True]
    assert tries[-1].reply == "451 later"


def test_a_full_mailbox_is_given_up_three_days_after_the_first_try_however_many_tries_are_left() -> None:
    full = Answer(Verdict.DEFERRED, tries_after=(timedelta(hours=4),) * 9, give_up_after=timedelta(hours=72))
    assert outcome(a_claim(8), full, NOON + timedelta(hours=71)).state is DeliveryState.DEFERRED
    assert outcome(a_claim(2), full, NOON + timedelta(hours=72)).state is DeliveryState.FAILED


def test_a_mail_that_its_provider_had_no_room_for_is_due_soon_and_uses_up_no_try() -> None:
    throttled = Answer(Verdict.DEFERRED, "421 4.7.28 slow down", "421 4.7.28", pause=Pause.PROVIDER)
    kept = outcome(a_claim(9), throttled, NOON)
    assert (kept.state, kept.used_up, kept.next_try_at) == (DeliveryState.DEFERRED, 0, NOON + timedelta(minutes=1))
    assert (kept.pause, kept.codes) == (Pause.PROVIDER, "421 4.7.28")


def test_a_mail_that_its_provider_never_has_room_for_fails_in_the_end() -> None:
    throttled = Answer(Verdict.DEFERRED, pause=Pause.PROVIDER, give_up_after=timedelta(days=5))
    assert outcome(a_claim(), throttled, NOON + timedelta(days=5)).state is DeliveryState.FAILED


def test_a_claim_that_was_not_used_is_given_back() -> None:
    assert given_back(a_claim(), NOON).state is DeliveryState.PENDING


def test_neither_address_nor_contact_nor_reply_shows_where_a_claim_or_an_answer_is_printed() -> None:
    claim = Claimed(KEY, 7, "token", 1, "a@example.org", {"last_name": "Weiß"}, False, "<1.0.7@main>", NOON)
    answer = Answer(Verdict.REJECTED, "550 a@example.org unknown")
    printed = f"{claim!r} {answer!r} {outcome(claim, answer, NOON)!r}"
    assert "example.org" not in printed
    assert "Weiß" not in printed


def test_who_is_not_excluded_will_receive() -> None:
    counts = Counts(selected=10, excluded={"no_opt_in": 3, "duplicate": 1}, by_state={"pending": 6, "excluded": 4})
    assert counts.will_receive == 6
    assert counts.of(DeliveryState.PENDING) == 6
    assert counts.of(DeliveryState.SENT) == 0
