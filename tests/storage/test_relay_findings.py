"""Rows in doubt, and what a relay's log makes of them: sent, due again, or nothing."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from serienmail.domain.delivery import HAND_OVER_LIMIT, Answer, Verdict, given_back, outcome
from serienmail.domain.doubt import TRACED_AFTER, TRACED_FOR, Doubt, Finding
from serienmail.storage.database import Database
from serienmail.storage.ledger import Ledger
from tests.builders import KEY, NOON, a_job, an_open_stage, claim, rows, states

SECOND = timedelta(seconds=1)
LATER = NOON + TRACED_AFTER


async def finds(ledger: Ledger, findings: Mapping[str, Finding], now: datetime = LATER) -> tuple[Doubt, ...]:
    """The doubts at this time, settled with what the log says about each row's Message-ID."""
    doubts = await ledger.doubts(KEY, now)
    await ledger.settle(doubts, findings, now)
    return doubts


async def test_a_row_is_in_doubt_when_nobody_can_write_its_final_dot_any_more(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    claimed = await claim(ledger, a_job(), NOON)
    assert claimed
    assert await ledger.doubts(KEY, LATER - SECOND) == ()
    doubt = Doubt(KEY, 1, claimed.token, claimed.message_id, since=NOON)
    assert await ledger.doubts(KEY, LATER) == (doubt,)


async def test_a_broken_answer_is_looked_for_soon_after(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    claimed = await claim(ledger, a_job(), NOON)
    assert claimed
    await ledger.record(outcome(claimed, Answer(Verdict.IN_DOUBT), NOON + SECOND))
    assert await ledger.doubts(KEY, NOON + SECOND) == ()
    assert [doubt.seq for doubt in await ledger.doubts(KEY, NOON + 31 * SECOND)] == [1]


async def test_what_the_log_shows_as_queued_is_sent(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    claimed = await claim(ledger, a_job(), NOON)
    assert claimed
    await finds(ledger, {claimed.message_id: Finding.ACCEPTED})
    (row,) = await rows(database)
    assert (row.state, row.finished_at, row.doubted) == ("sent", LATER, False)
    assert row.reply == "queued, as the relay's log shows"


async def test_what_never_came_is_due_again_as_if_never_begun(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    claimed = await claim(ledger, a_job(), NOON)
    assert claimed
    await ledger.record(outcome(claimed, Answer(Verdict.IN_DOUBT), NOON))
    await finds(ledger, {claimed.message_id: Finding.NOT_ACCEPTED})
    (row,) = await rows(database)
    assert (row.state, row.attempts, row.doubted, row.finished_at) == ("pending", 0, False, None)
    again = await claim(ledger, a_job(), LATER)
    assert again
    assert (again.message_id, again.dated_at) == (claimed.message_id, claimed.dated_at)


@pytest.mark.parametrize("findings", [{}, {"<1.0.1@main>": Finding.UNCLEAR}])
async def test_what_the_log_does_not_prove_stays_in_doubt(database: Database, findings: Mapping[str, Finding]) -> None:
    ledger = await an_open_stage(database, 1)
    await claim(ledger, a_job(), NOON)
    assert len(await finds(ledger, findings)) == 1
    assert await states(database) == ["handing_over"]
    await ledger.plan(KEY, None, NOON + HAND_OVER_LIMIT, traced=True)
    assert await states(database) == ["unknown"]


async def test_an_outcome_that_came_meanwhile_stays(database: Database) -> None:
    ledger = await an_open_stage(database, 2)
    claimed = [await claim(ledger, a_job(), NOON), await claim(ledger, a_job(), NOON)]
    doubts = await ledger.doubts(KEY, LATER)
    for one, answer in zip(claimed, (Verdict.REJECTED, Verdict.ACCEPTED), strict=True):
        assert one
        await ledger.record(outcome(one, Answer(answer), LATER))
    await ledger.settle(doubts, {doubt.message_id: Finding.NOT_ACCEPTED for doubt in doubts}, LATER)
    assert await states(database) == ["rejected", "sent"]


async def test_a_finding_is_about_one_claim_alone(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    first = await claim(ledger, a_job(), NOON)
    assert first
    doubts = await ledger.doubts(KEY, LATER)
    await ledger.record(given_back(first, LATER))
    await claim(ledger, a_job(), LATER)
    await ledger.settle(doubts, {first.message_id: Finding.NOT_ACCEPTED}, LATER)
    assert await states(database) == ["handing_over"]


async def test_a_doubt_is_as_old_as_the_mail_s_first_claim(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    first = await claim(ledger, a_job(), NOON)
    assert first
    await ledger.record(given_back(first, NOON))
    await claim(ledger, a_job(), LATER)
    (doubt,) = await ledger.doubts(KEY, LATER + TRACED_AFTER)
    assert doubt.since == NOON


async def test_with_a_log_silence_is_looked_into_after_minutes(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    await claim(ledger, a_job(), NOON)
    assert (await ledger.plan(KEY, None, NOON)).wake_at == NOON + HAND_OVER_LIMIT
    assert (await ledger.plan(KEY, None, NOON, traced=True)).wake_at == LATER


async def test_a_stage_stays_open_a_while_for_what_the_log_may_still_decide(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    claimed = await claim(ledger, a_job(), NOON)
    assert claimed
    await ledger.record(outcome(claimed, Answer(Verdict.IN_DOUBT), NOON))
    assert (await ledger.plan(KEY, None, NOON)).wake_at is None
    plan = await ledger.plan(KEY, None, NOON, traced=True)
    assert (plan.wake_at, plan.reason) == (
        NOON + timedelta(minutes=1),
        "mails in doubt are being looked for in the relay's log",
    )
    assert (await ledger.plan(KEY, None, NOON + TRACED_FOR, traced=True)).wake_at is None
