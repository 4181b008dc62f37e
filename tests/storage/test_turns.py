"""What became of a lane's last mail and the claim of its next are one commit, and neither is lost with the other."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from serienmail.domain.delivery import Answer, Claimed, Outcome, Verdict, given_back, outcome
from serienmail.domain.errors import EnvironmentFault
from serienmail.storage import turns
from serienmail.storage.database import Database
from serienmail.storage.slices import Slice
from serienmail.storage.tables import event, suppression
from tests.builders import KEY, NOON, a_job, a_ledger, an_open_stage, rows, states
from tests.fakes import Faulty


@pytest.fixture
async def faulty(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Faulty]:
    monkeypatch.setattr(turns, "LOOKS_AGAIN_AFTER", 0.01)
    faulty = Faulty(database.url)
    yield faulty
    await faulty.close()


async def taken(due: Slice, last: Outcome | None = None) -> Claimed:
    claimed = await due.next(NOON, last)
    assert claimed is not None
    return claimed


def accepted(claimed: Claimed) -> Outcome:
    return outcome(claimed, Answer(Verdict.ACCEPTED, "250 ok"), NOON)


async def test_an_outcome_and_the_next_claim_are_one_commit(faulty: Faulty) -> None:
    due = await (await an_open_stage(faulty, 2)).slice(a_job(), NOON)
    first = await taken(due)
    faulty.commits = 0
    await taken(due, accepted(first))
    assert faulty.commits == 1
    assert await states(faulty) == ["sent", "handing_over"]


async def test_lanes_of_all_slices_that_wait_share_one_commit(faulty: Faulty) -> None:
    ledger = await an_open_stage(faulty, 20)
    slices = [await ledger.slice(a_job(first, first + 4), NOON) for first in (1, 6, 11, 16)]
    faulty.commits = 0
    claims = await asyncio.gather(*(taken(due) for due in slices for _ in range(5)))
    assert faulty.commits == 1
    assert sorted(claimed.seq for claimed in claims) == list(range(1, 21))


async def test_outcome_and_claim_of_a_commit_that_got_no_answer_both_stand(faulty: Faulty) -> None:
    due = await (await an_open_stage(faulty, 2)).slice(a_job(), NOON)
    first = await taken(due)
    faulty.losses, faulty.refusals = 1, 3
    second = await taken(due, accepted(first))
    assert await states(faulty) == ["sent", "handing_over"]
    assert (second.seq, second.token, second.attempts) == (2, (await rows(faulty))[1].token, 1)
    async with faulty.read() as connection:
        assert (await connection.execute(select(event.c.detail))).all() == []  # it was no late reply


async def test_a_claim_that_fails_does_not_lose_the_outcome_that_came_with_it(faulty: Faulty) -> None:
    due = await (await an_open_stage(faulty, 2)).slice(a_job(), NOON)
    first = await taken(due)
    faulty.refusals = 1
    with pytest.raises(EnvironmentFault, match="away"):
        await due.next(NOON, accepted(first))
    assert await states(faulty) == ["sent", "pending"]


async def test_a_reply_that_came_too_late_is_kept_beside_the_claim_that_came_with_it(database: Database) -> None:
    due = await (await an_open_stage(database, 2)).slice(a_job(), NOON)
    first = await taken(due)
    async with database.write() as connection:
        await connection.exec_driver_sql("UPDATE delivery SET state = 'unknown', doubted = true WHERE seq = 1")
    assert (await taken(due, outcome(first, Answer(Verdict.DEFERRED, "450 later"), NOON))).seq == 2
    assert await states(database) == ["unknown", "handing_over"]
    async with database.read() as connection:
        assert (await connection.execute(select(event.c.kind))).scalars().all() == ["late_reply"]


async def test_a_mailbox_that_is_gone_gets_no_more_mail_and_the_next_is_claimed(database: Database) -> None:
    due = await (await an_open_stage(database, 2)).slice(a_job(), NOON)
    gone = outcome(await taken(due), Answer(Verdict.REJECTED, "550 unknown", suppress=True), NOON)
    assert (await taken(due, gone)).seq == 2
    assert await states(database) == ["rejected", "handing_over"]
    async with database.read() as connection:
        assert (await connection.execute(select(suppression.c.address_key))).scalars().all() == ["person1@example.org"]


async def test_a_newer_epoch_lets_an_older_claim_nothing(database: Database) -> None:
    ledger = await an_open_stage(database, 2)
    due = await ledger.slice(a_job(), NOON)
    await ledger.open_stage(KEY, 2)
    assert await due.next(NOON) is None
    assert await states(database) == ["pending", "pending"]


async def test_the_last_outcome_is_kept_when_nothing_is_left_to_claim(database: Database) -> None:
    due = await (await an_open_stage(database, 1)).slice(a_job(), NOON)
    assert await due.next(NOON, accepted(await taken(due))) is None
    assert await states(database) == ["sent"]


async def test_a_stage_that_closes_keeps_the_outcome_and_ends_the_slice(database: Database) -> None:
    ledger = await an_open_stage(database, 3)
    due = await ledger.slice(a_job(), NOON)
    first = await taken(due)
    await ledger.close_stage(KEY, 1)
    assert await due.next(NOON, accepted(first)) is None
    assert len(due) == 0
    assert await states(database) == ["sent", "pending", "pending"]


async def test_a_row_that_is_given_back_waits_behind_the_others(database: Database) -> None:
    due = await (await an_open_stage(database, 3)).slice(a_job(), NOON)
    first = await taken(due)
    await due.record(given_back(first, NOON))
    again = [await taken(due) for _ in range(3)]
    assert [claimed.seq for claimed in again] == [2, 3, 1]
    assert again[-1].attempts == 1
    assert again[-1].token != first.token


async def test_what_another_worker_has_taken_since_the_slice_was_read_is_passed_over(database: Database) -> None:
    ledger = await an_open_stage(database, 3)
    due, others = await ledger.slice(a_job(), NOON), await a_ledger(database).slice(a_job(), NOON)
    mine = await taken(due)
    theirs = await taken(others)
    assert (mine.seq, theirs.seq) == (1, 2)
    await others.record(accepted(theirs))
    assert (await taken(due, accepted(mine))).seq == 3
    assert await others.next(NOON) is None
