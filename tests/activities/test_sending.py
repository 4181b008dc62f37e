"""One slice: claim, hand over, record; and what happens to it when it is stopped or the server is away."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import outages, sending
from activities.outages import FAILURES_IN_A_ROW, PATIENT_AFTER
from activities.sending import SendActivities, SliceResult
from serienmail.domain.delivery import Answer, Claimed, SliceJob, SliceRange, Verdict
from serienmail.domain.errors import AccountRefused, ServerUnreachable
from serienmail.domain.states import DeliveryState
from tests.fakes import KEY, FakeLedger, FakePost, FakePostOffice

JOB = SliceJob(KEY, 1, SliceRange(1, 250), "autumn@1", "marketing", measured=True, opted_in_only=True)


@pytest.fixture
def sleepless(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause before the next connection."""
    monkeypatch.setattr(outages, "FIRST_PAUSE", 0.0)


def environment(attempt: int = 1, *heard: int) -> ActivityEnvironment:
    """heard: the last heartbeat of earlier attempts."""
    found = ActivityEnvironment()
    found.info = replace(found.info, attempt=attempt, heartbeat_details=heard)
    return found


async def send(ledger: FakeLedger, post: FakePost, env: ActivityEnvironment | None = None) -> SliceResult:
    activities = SendActivities(ledger, FakePostOffice(post))
    return await (env or environment()).run(activities.send_slice, JOB)


async def test_every_claimed_mail_is_handed_over_once_and_recorded() -> None:
    ledger, post = FakeLedger(20), FakePost()
    result = await send(ledger, post)
    assert result == SliceResult(20)
    assert sorted(post.begun) == list(range(1, 21))
    assert {outcome.state for outcome in ledger.outcomes} == {DeliveryState.SENT}


async def test_no_more_mails_are_in_hand_than_the_account_has_connections() -> None:
    ledger, post = FakeLedger(20), FakePost()
    await asyncio.gather(send(ledger, post), send(ledger, post))
    assert post.most_in_hand <= post.connections


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (Verdict.ACCEPTED, DeliveryState.SENT),
        (Verdict.DEFERRED, DeliveryState.DEFERRED),
        (Verdict.REJECTED, DeliveryState.REJECTED),
        (Verdict.FAILED, DeliveryState.FAILED),
        (Verdict.IN_DOUBT, DeliveryState.UNKNOWN),
    ],
)
async def test_a_verdict_becomes_the_row_s_state(verdict: Verdict, state: DeliveryState) -> None:
    ledger = FakeLedger(1)
    await send(ledger, FakePost(lambda _: Answer(verdict, "250 ok")))
    assert [outcome.state for outcome in ledger.outcomes] == [state]


async def test_a_stop_lets_mails_in_hand_finish_and_begins_no_other() -> None:
    ledger, post = FakeLedger(20), FakePost()
    post.go_on.clear()
    env = environment()
    running = asyncio.ensure_future(env.run(SendActivities(ledger, FakePostOffice(post)).send_slice, JOB))
    await post.full.wait()
    env.cancel(activity.ActivityCancellationDetails(cancel_requested=True))
    await asyncio.sleep(0)
    post.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(post.begun) == len(ledger.outcomes) == post.connections


async def test_a_stop_does_not_wait_for_connections_that_another_slice_has() -> None:
    post, stopped, other = FakePost(), environment(), FakeLedger(20)
    post.go_on.clear()
    sending_on = asyncio.create_task(send(other, post))
    await post.full.wait()
    ledger = FakeLedger(20)
    waiting = asyncio.ensure_future(stopped.run(SendActivities(ledger, FakePostOffice(post)).send_slice, JOB))
    for _ in range(10):
        await asyncio.sleep(0)
    stopped.cancel(activity.ActivityCancellationDetails(cancel_requested=True))
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ledger.outcomes == []
    post.go_on.set()
    assert await sending_on == SliceResult(20)


async def test_a_slice_whose_time_is_over_finishes_what_it_has_in_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "CLAIM_SECONDS", 0.01)
    ledger, post = FakeLedger(20), FakePost()
    post.go_on.clear()
    running = asyncio.create_task(send(ledger, post))
    await post.full.wait()
    await asyncio.sleep(0.05)
    post.go_on.set()
    assert await running == SliceResult(post.connections)


async def test_a_worker_that_shuts_down_finishes_what_it_has_in_hand() -> None:
    ledger, post = FakeLedger(20), FakePost()
    post.go_on.clear()
    env = environment()
    running = asyncio.ensure_future(env.run(SendActivities(ledger, FakePostOffice(post)).send_slice, JOB))
    await post.full.wait()
    env.worker_shutdown()
    await asyncio.sleep(0)
    post.go_on.set()
    assert await running == SliceResult(post.connections)
    assert len(ledger.outcomes) == post.connections


def failing(error: Exception) -> Callable[[Claimed], Answer]:
    def answer(_claimed: Claimed) -> Answer:
        raise error

    return answer


async def test_a_server_that_is_away_fails_the_attempt_and_gives_the_rows_back() -> None:
    ledger = FakeLedger(20)
    with pytest.raises(ServerUnreachable):
        await send(ledger, FakePost(failing(ServerUnreachable("away"))))
    assert {outcome.state for outcome in ledger.outcomes} == {DeliveryState.PENDING}


def breaking(*seqs: int) -> Callable[[Claimed], Answer]:
    """Accepts everything, but the connection breaks the first time that it gets to one of these."""
    left = list(seqs)

    def answer(claimed: Claimed) -> Answer:
        if claimed.seq in left:
            left.remove(claimed.seq)
            raise ServerUnreachable("hung up")
        return Answer(Verdict.ACCEPTED)

    return answer


async def test_a_connection_that_breaks_is_replaced_and_its_mail_goes_on_another(sleepless: None) -> None:
    ledger, post = FakeLedger(20), FakePost(breaking(2, 9, 15, 20))
    assert await send(ledger, post) == SliceResult(20)
    assert sorted(post.begun) == sorted([*range(1, 21), 2, 9, 15, 20])
    states = [outcome.state for outcome in ledger.outcomes]
    assert (states.count(DeliveryState.SENT), states.count(DeliveryState.PENDING)) == (20, 4)


async def test_connections_that_break_at_one_moment_are_one_failure(sleepless: None) -> None:
    ledger, post = FakeLedger(20), FakePost(breaking(1, 2, 3))
    assert await send(ledger, post) == SliceResult(20)
    assert post.connections == 3


async def test_a_server_that_is_away_is_tried_three_times_in_a_row(sleepless: None) -> None:
    ledger = FakeLedger(1)
    post = FakePost(failing(ServerUnreachable("away")))
    with pytest.raises(ServerUnreachable):
        await send(ledger, post)
    assert post.begun == [1] * FAILURES_IN_A_ROW


async def test_an_answer_ends_the_row_of_failures(sleepless: None) -> None:
    ledger, post = FakeLedger(4), FakePost(breaking(1, 1, 2, 2))
    post.connections = 1
    assert await send(ledger, post) == SliceResult(4)


async def meet_an_outage(attempt: int, *heard: int) -> tuple[SliceResult | ServerUnreachable, tuple[int, ...]]:
    """What an attempt makes of it, and the last heartbeat that the next one hears."""
    env, beats = environment(attempt, *heard), [heard]
    env.on_heartbeat = lambda *details: beats.append(details)
    try:
        return await send(FakeLedger(3), FakePost(failing(ServerUnreachable("away"))), env), beats[-1]
    except ServerUnreachable as failure:
        return failure, beats[-1]


async def test_a_server_that_stays_away_for_three_attempts_makes_the_slice_say_until_when_it_waits(
    sleepless: None,
) -> None:
    heard: tuple[int, ...] = ()
    for attempt in range(1, PATIENT_AFTER):
        failure, heard = await meet_an_outage(attempt, *heard)
        assert isinstance(failure, ServerUnreachable)
    result, _ = await meet_an_outage(PATIENT_AFTER, *heard)
    assert isinstance(result, SliceResult)
    assert (result.handled, result.reason) == (0, "away")
    assert result.wait_until is not None


@pytest.mark.parametrize("heard", [(), (17,), (17, 0)])
async def test_attempts_whose_workers_died_are_no_outages(sleepless: None, heard: tuple[int, ...]) -> None:
    failure, _ = await meet_an_outage(PATIENT_AFTER, *heard)
    assert isinstance(failure, ServerUnreachable)


async def test_a_refused_account_is_never_waited_for() -> None:
    with pytest.raises(AccountRefused):
        await send(FakeLedger(3), FakePost(failing(AccountRefused("no"))), environment(PATIENT_AFTER, 0, PATIENT_AFTER))


async def test_a_fault_of_our_own_ends_the_slice_at_once_and_tells_nothing_about_anybody() -> None:
    ledger, post = FakeLedger(20), FakePost(failing(ValueError("person1@example.org")))
    with pytest.raises(ApplicationError) as failure:
        await send(ledger, post)
    assert failure.value.non_retryable
    assert "person" not in str(failure.value)
    assert len(post.begun) <= post.connections
    assert ledger.outcomes == []  # in doubt, and settled so in time
