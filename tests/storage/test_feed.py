"""The feed tells each event once, in an order that never changes, and skips none, whoever is still writing."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from serienmail.domain.delivery import Answer, MailRef, Verdict, outcome
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.feed import FeedEvent
from serienmail.domain.feedback import Feedback, Happening, Severity
from serienmail.domain.judging import QUIET, MachineList, Visit
from serienmail.storage.database import Database
from serienmail.storage.feed import FeedStore
from serienmail.storage.feedback import FeedbackStore
from serienmail.storage.ledger import Ledger
from serienmail.storage.rows import rows_of
from serienmail.storage.tables import delivery, event
from serienmail.storage.visits import VisitStore, VisitTo
from tests.builders import KEY, NOON, a_job, a_person_opens, an_open_stage, claim

only_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
"""On SQLite nobody writes beside an open transaction."""


async def hand_over(ledger: Ledger, *verdicts: Verdict) -> None:
    for verdict in verdicts:
        claimed = await claim(ledger, a_job(), NOON)
        assert claimed is not None
        await ledger.record(outcome(claimed, Answer(verdict, "the answer"), NOON + timedelta(seconds=claimed.seq)))


async def everything(database: Database, limit: int = 500) -> list[FeedEvent]:
    """All pages, one after the other."""
    events, page = list[FeedEvent](), await FeedStore(database).page(limit=limit)
    events += page.events
    while page.more:
        page = await FeedStore(database).page(page.next, limit)
        events += page.events
    return events


async def test_what_servers_answered_is_told_with_the_contact(database: Database) -> None:
    ledger = await an_open_stage(database, 4)
    await hand_over(ledger, Verdict.ACCEPTED, Verdict.DEFERRED, Verdict.REJECTED, Verdict.FAILED)
    events = await everything(database)
    told = {each.recipient: each.kind for each in events}
    assert told == {1: "handed_over", 2: "deferred", 3: "rejected", 4: "failed"}
    first = next(each for each in events if each.recipient == 1)
    assert (first.mass_mail, first.stage, first.contact, first.detail) == ("autumn", 0, "1", "the answer")
    assert first.at == NOON + timedelta(seconds=1)


async def test_what_is_told_once_isnt_told_again_until_something_else_happens(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    await hand_over(ledger, Verdict.IN_DOUBT)
    page = await FeedStore(database).page()
    assert [each.kind for each in page.events] == ["in_doubt"]
    assert (await FeedStore(database).page(page.next)).events == []
    await a_person_opens(database, 1, NOON)  # so it has arrived
    later = await FeedStore(database).page(page.next)
    assert sorted(each.kind for each in later.events) == ["handed_over", "opened"]


async def test_bounces_and_opens_are_told_and_machines_are_marked(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    await hand_over(ledger, Verdict.ACCEPTED)
    await a_person_opens(database, 1, NOON)
    visits = VisitStore(database, MachineList())
    await visits.record([VisitTo("head", 1, 0, 1, Visit(at=NOON + timedelta(hours=1), link=0, method="HEAD"))])
    await visits.judge(NOON + timedelta(hours=1) + QUIET)
    bounce = Feedback(id="dsn", kind=Happening.BOUNCED, at=NOON, mail=MailRef(1, 0, 1), severity=Severity.SOFT)
    await FeedbackStore(database, 3).record([bounce])
    told = [(each.kind, each.machine, each.detail) for each in await everything(database) if each.kind != "handed_over"]
    assert told == [("opened", False, ""), ("opened", True, "method"), ("bounced", False, "soft")]


async def test_pages_have_the_same_order_whatever_their_size(database: Database) -> None:
    ledger = await an_open_stage(database, 5)
    await hand_over(ledger, *[Verdict.ACCEPTED] * 5)
    at_once = await everything(database)
    assert await everything(database, limit=2) == at_once
    assert len({each.id for each in at_once}) == 5


async def test_readers_at_the_same_time_see_one_order(database: Database) -> None:
    ledger = await an_open_stage(database, 5)
    await hand_over(ledger, *[Verdict.ACCEPTED] * 5)
    one, *others = await asyncio.gather(*(everything(database) for _ in range(4)))
    assert len(one) == 5
    assert all(other == one for other in others)


@only_postgresql
async def test_an_event_whose_transaction_is_still_open_is_told_later_and_not_skipped(database: Database) -> None:
    await hand_over(await an_open_stage(database, 2), Verdict.ACCEPTED, Verdict.ACCEPTED)
    opened = {"kind": "opened", "mass_mail_id": "autumn", "stage": 0, "at": NOON}
    page = await FeedStore(database).page()
    async with database.write() as slow:
        await slow.execute(insert(event).values(**opened, seq=1))  # has the smaller number
        async with database.write() as fast:
            await fast.execute(insert(event).values(**opened, seq=2))
        page = await FeedStore(database).page(page.next)
        assert [each.recipient for each in page.events] == [2]
    page = await FeedStore(database).page(page.next)
    assert [each.recipient for each in page.events] == [1]


@only_postgresql
async def test_a_row_that_somebody_is_writing_doesnt_hold_up_the_feed(database: Database) -> None:
    await hand_over(await an_open_stage(database, 2), Verdict.ACCEPTED, Verdict.ACCEPTED)
    async with database.write() as slow:
        await slow.execute(update(delivery).where(rows_of(KEY), delivery.c.seq == 1).values(bounced_at=NOON))
        page = await FeedStore(database).page()
        assert [each.recipient for each in page.events] == [2]
    assert [each.recipient for each in (await FeedStore(database).page(page.next)).events] == [1]


@pytest.mark.parametrize("after", ["next", "-1", "1.5", "²", "9" * 19])
async def test_a_place_that_nobody_gave_is_refused(database: Database, after: str) -> None:
    with pytest.raises(InvalidOrder, match="'next'"):
        await FeedStore(database).page(after)
