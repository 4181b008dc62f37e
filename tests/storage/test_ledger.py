"""Never twice, never lost: the ledger's rules, one by one; test_ledger_rules.py mixes them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from serienmail.domain.delivery import (
    HAND_OVER_LIMIT,
    Answer,
    Claimed,
    Plan,
    SliceRange,
    Verdict,
    given_back,
    outcome,
)
from serienmail.domain.errors import CommandRefused
from serienmail.storage.database import Database
from serienmail.storage.ledger import Ledger
from serienmail.storage.planning import usual_slice
from serienmail.storage.tables import event
from serienmail.storage.tracking import Tracking
from tests.builders import KEY, NOON, a_contact, a_job, a_ledger, a_person_opens, an_open_stage, claim, rows, states
from tests.fakes import Faulty

MINUTE = timedelta(minutes=1)


async def a_claim(ledger: Ledger, now: datetime = NOON) -> Claimed:
    claimed = await claim(ledger, a_job(), now)
    assert claimed is not None
    return claimed


async def answer(ledger: Ledger, claimed: Claimed, verdict: Verdict, now: datetime = NOON) -> None:
    await ledger.record(outcome(claimed, Answer(verdict, "the server's words"), now))


async def late_replies(database: Database) -> list[str]:
    query = select(event.c.detail).where(event.c.kind == "late_reply").order_by(event.c.id)
    async with database.read() as connection:
        return list((await connection.execute(query)).scalars())


async def test_an_older_start_of_sending_is_refused_and_the_same_one_opens_once(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    await ledger.open_stage(KEY, 3)
    await ledger.open_stage(KEY, 3)
    with pytest.raises(CommandRefused, match="started again"):
        await ledger.open_stage(KEY, 2)
    await ledger.close_stage(KEY, 2)
    await ledger.close_stage(KEY, 3)
    await ledger.open_stage(KEY, 3)  # a late second attempt does not undo the stop
    assert await claim(ledger, a_job(epoch=3), NOON) is None


@pytest.mark.parametrize(
    ("verdict", "state", "finished"),
    [
        (Verdict.ACCEPTED, "sent", NOON), (Verdict.REJECTED, "rejected", NOON), (Verdict.FAILED, "failed", NOON),
        (Verdict.IN_DOUBT, "unknown", NOON), (Verdict.DEFERRED, "deferred", None),
        (Verdict.UNFILLED, "excluded", NOON),
    ],
)  # fmt: skip
async def test_an_outcome_is_kept_with_the_servers_words(
    database: Database, verdict: Verdict, state: str, finished: datetime | None
) -> None:
    ledger = await an_open_stage(database, 1)
    await answer(ledger, await a_claim(ledger), verdict)
    (row,) = await rows(database)
    assert (row.state, row.reply, row.finished_at) == (state, "the server's words", finished)
    assert row.doubted == (state == "unknown")
    assert row.reason == ("placeholder_missing" if state == "excluded" else "")
    assert row.next_try_at == (NOON + 5 * MINUTE if state == "deferred" else None)


async def test_outcomes_at_once_are_all_kept(database: Database) -> None:
    ledger, other = await an_open_stage(database, 40), a_ledger(database)
    claims = [await a_claim(ledger) for _ in range(40)]
    workers = [ledger, other] * 20
    await asyncio.gather(*(answer(w, c, Verdict.ACCEPTED) for w, c in zip(workers, reversed(claims), strict=True)))
    assert await states(database) == ["sent"] * 40


async def test_a_deferred_mail_can_be_claimed_from_its_next_try_on(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    await answer(ledger, await a_claim(ledger), Verdict.DEFERRED)
    assert await claim(ledger, a_job(), NOON + 4 * MINUTE) is None
    again = await a_claim(ledger, NOON + 5 * MINUTE)
    assert again.attempts == 2
    await answer(ledger, again, Verdict.DEFERRED, NOON + 5 * MINUTE)
    assert (await rows(database))[0].next_try_at == NOON + 35 * MINUTE


async def test_what_was_given_back_is_as_it_was(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    for _ in range(3):
        await ledger.record(given_back(await a_claim(ledger), NOON))
    (row,) = await rows(database)
    assert (row.state, row.attempts, row.finished_at) == ("pending", 0, None)
    assert (await a_claim(ledger)).attempts == 1


async def test_a_mail_without_an_answer_for_twenty_minutes_is_in_doubt(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    await a_claim(ledger)
    await ledger.plan(KEY, None, NOON + HAND_OVER_LIMIT - MINUTE)
    assert await states(database) == ["handing_over"]
    assert await ledger.plan(KEY, None, NOON + HAND_OVER_LIMIT) == Plan(progress={"unknown": 1})
    (row,) = await rows(database)
    assert (row.state, row.doubted) == ("unknown", True)
    assert await claim(ledger, a_job(), NOON + timedelta(days=9)) is None


async def test_an_open_or_an_opt_out_shows_that_a_mail_in_doubt_arrived(database: Database) -> None:
    ledger, tracking = await an_open_stage(database, 3), Tracking(database)
    for _ in range(3):
        await a_claim(ledger)
    await a_person_opens(database, 1, NOON)
    await tracking.unsubscribed(1, 0, 2, NOON)
    await ledger.plan(KEY, None, NOON + HAND_OVER_LIMIT)
    assert await states(database) == ["sent", "sent", "unknown"]
    await a_person_opens(database, 3, NOON)
    await ledger.plan(KEY, None, NOON + HAND_OVER_LIMIT)
    assert await states(database) == ["sent", "sent", "sent"]


async def test_a_late_acceptance_ends_the_doubt(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    claimed = await a_claim(ledger)
    await ledger.plan(KEY, None, NOON + HAND_OVER_LIMIT)
    await answer(ledger, claimed, Verdict.ACCEPTED, NOON + 25 * MINUTE)
    assert await states(database) == ["sent"]
    assert await late_replies(database) == []


@pytest.mark.parametrize("verdict", [Verdict.REJECTED, Verdict.FAILED, Verdict.DEFERRED])
async def test_any_other_late_reply_is_only_recorded(database: Database, verdict: Verdict) -> None:
    ledger = await an_open_stage(database, 1)
    claimed = await a_claim(ledger)
    await ledger.plan(KEY, None, NOON + HAND_OVER_LIMIT)
    await answer(ledger, claimed, verdict, NOON + 25 * MINUTE)
    assert await states(database) == ["unknown"]
    assert await late_replies(database) == [f"{verdict}: the server's words"]


@pytest.mark.parametrize("verdict", list(Verdict))
async def test_a_reply_to_an_older_claim_changes_nothing(database: Database, verdict: Verdict) -> None:
    ledger = await an_open_stage(database, 1)
    older = await a_claim(ledger)
    await ledger.record(given_back(older, NOON))
    await a_claim(ledger)
    await answer(ledger, older, verdict)
    assert await states(database) == ["handing_over"]
    assert len(await late_replies(database)) == 1


async def test_an_opt_out_while_the_mail_is_handed_over_stops_its_next_try(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    claimed = await a_claim(ledger)
    await Tracking(database).unsubscribed(1, 0, 1, NOON)
    await answer(ledger, claimed, Verdict.DEFERRED)
    assert await claim(ledger, a_job(), NOON + 5 * MINUTE) is None
    assert await states(database) == ["excluded:unsubscribed"]


async def test_a_cancel_reaches_what_is_still_due_and_leaves_what_was_decided(database: Database) -> None:
    ledger = await an_open_stage(database, 5)
    for verdict in (Verdict.ACCEPTED, Verdict.IN_DOUBT, Verdict.DEFERRED):
        await answer(ledger, await a_claim(ledger), verdict)
    await a_claim(ledger)
    async with database.write() as connection:
        await connection.exec_driver_sql("UPDATE delivery SET doubted = true WHERE seq = 5")
    assert await ledger.cancel(KEY) == 2
    assert await states(database) == ["sent", "unknown", "cancelled", "unknown", "unknown"]


async def test_what_a_dead_worker_had_in_hand_is_in_doubt_when_its_mass_mail_is_deleted(database: Database) -> None:
    ledger = await an_open_stage(database, 2)
    dead, late = await a_claim(ledger), await a_claim(ledger)
    await ledger.cancel(KEY)
    await answer(ledger, late, Verdict.ACCEPTED)  # its worker only stood still
    await answer(ledger, dead, Verdict.DEFERRED)
    assert await states(database) == ["unknown", "sent"]


@pytest.fixture
async def faulty(database: Database) -> AsyncIterator[Faulty]:
    faulty = Faulty(database.url)
    yield faulty
    await faulty.close()


async def test_an_outcome_is_kept_as_soon_as_the_database_is_back(faulty: Faulty) -> None:
    ledger = await an_open_stage(faulty, 3)
    claims = [await a_claim(ledger) for _ in range(3)]
    faulty.refusals = 2
    await asyncio.gather(*(answer(ledger, claimed, Verdict.ACCEPTED) for claimed in claims))
    assert await states(faulty) == ["sent"] * 3


@pytest.mark.parametrize("verdict", list(Verdict))
async def test_an_outcome_whose_commit_got_no_answer_is_no_late_reply(faulty: Faulty, verdict: Verdict) -> None:
    ledger = await an_open_stage(faulty, 1)
    claimed = await a_claim(ledger)
    faulty.losses = 1
    await answer(ledger, claimed, verdict)
    assert await late_replies(faulty) == []


async def test_what_is_given_back_twice_counts_once(faulty: Faulty) -> None:
    ledger = await an_open_stage(faulty, 1)
    claimed = await a_claim(ledger)
    faulty.losses = 1
    await ledger.record(given_back(claimed, NOON))
    assert [row.attempts for row in await rows(faulty)] == [0]


async def test_up_to_five_hundred_recipients_each_has_a_slice_of_its_own(database: Database) -> None:
    ledger = await an_open_stage(database, 450)
    plan = await ledger.plan(KEY, None, NOON)
    assert plan.slices == tuple(SliceRange(seq, seq) for seq in range(1, 201))  # PLANNED_SLICES at once
    assert (plan.wake_at, plan.progress) == (None, {"pending": 450})


async def test_more_recipients_go_in_slices_of_250_unless_told_otherwise(database: Database) -> None:
    ledger = await an_open_stage(database, 501)
    thirds = SliceRange(1, 250), SliceRange(251, 500), SliceRange(501, 501)
    assert (await ledger.plan(KEY, None, NOON)).slices == thirds
    assert (await ledger.plan(KEY, 300, NOON)).slices == (SliceRange(1, 300), SliceRange(301, 501))


@pytest.mark.parametrize(
    ("recipients", "size"), [(500, 1), (501, 250), (10_000, 250), (15_000, 375), (20_000, 500), (1_000_000, 500)]
)
def test_the_more_recipients_the_larger_their_slices_within_bounds(recipients: int, size: int) -> None:
    assert usual_slice(recipients) == size


async def test_slices_are_made_of_what_is_due(database: Database) -> None:
    ledger = await an_open_stage(database, 5)
    for _ in range(3):
        await answer(ledger, await a_claim(ledger), Verdict.ACCEPTED)
    assert (await ledger.plan(KEY, 10, NOON)).slices == (SliceRange(4, 5),)


async def test_a_stage_with_nothing_due_says_when_to_look_again_and_why(database: Database) -> None:
    ledger = await an_open_stage(database, 3)
    await answer(ledger, await a_claim(ledger), Verdict.ACCEPTED)
    await a_claim(ledger, NOON + 2 * MINUTE)
    last = await a_claim(ledger)
    await answer(ledger, last, Verdict.DEFERRED)
    plan = await ledger.plan(KEY, None, NOON + MINUTE)
    assert (plan.slices, plan.wake_at) == ((), NOON + 5 * MINUTE)
    assert plan.reason == "1 deferred by their servers, 1 handed over, answer outstanding"
    await answer(ledger, await a_claim(ledger, NOON + 5 * MINUTE), Verdict.ACCEPTED)
    plan = await ledger.plan(KEY, None, NOON + 6 * MINUTE)
    assert (plan.wake_at, plan.reason) == (NOON + 22 * MINUTE, "1 handed over, answer outstanding")


async def test_a_stage_is_over_when_nobody_is_due_or_in_hand(database: Database) -> None:
    ledger = await an_open_stage(database, [a_contact(1), a_contact(2, opt_in=False)])
    await answer(ledger, await a_claim(ledger), Verdict.REJECTED)
    assert await ledger.plan(KEY, None, NOON) == Plan(progress={"rejected": 1, "excluded": 1})
