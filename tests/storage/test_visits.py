"""Visits become events once they are judged; only a person's change what a delivery says."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from serienmail.domain.delivery import StageKey
from serienmail.domain.judging import BURST, QUIET, Visit
from serienmail.mailing.machine_list import read_machine_list
from serienmail.storage.database import Database
from serienmail.storage.tables import delivery, event, mass_mail, visit
from serienmail.storage.visits import MOST_VISITS, VisitStore, VisitTo
from tests.builders import NOON
from tests.storage.test_tracking import a_mail

FIREFOX = Visit(at=NOON, link=0, agent="Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0")
LATER = NOON + QUIET
STAGE = StageKey("m1", 0)


@pytest.fixture
async def visits(database: Database) -> VisitStore:
    """A mass mail, numbered 1, with two measured mails."""
    async with database.write() as connection:
        await connection.execute(insert(mass_mail).values(
            id="m1", number=1, name="Herbst", created_by="anna", status={}, version=0, state="sending",
            created_at=NOON))  # fmt: skip
    for seq in (1, 2):
        await a_mail(database, "m1", seq, "sent", tracked=True, address_key=f"{seq}@example.org")
    return VisitStore(database, read_machine_list())


def to(seq: int, name: str = "a", **fields: Any) -> VisitTo:
    """A visit by Firefox."""
    return VisitTo(name, 1, 0, seq, replace(FIREFOX, **fields))


async def events(database: Database) -> Sequence[tuple[Any, ...]]:
    """What was concluded, the oldest first."""
    query = select(event.c.seq, event.c.kind, event.c.link, event.c.detail).order_by(event.c.at, event.c.id)
    async with database.read() as connection:
        return [tuple(row) for row in await connection.execute(query)]


async def first_times(database: Database) -> list[tuple[datetime | None, datetime | None]]:
    """Of both mails: opened, clicked."""
    query = select(delivery.c.opened_at, delivery.c.clicked_at).order_by(delivery.c.seq)
    async with database.read() as connection:
        return [(row.opened_at, row.clicked_at) for row in await connection.execute(query)]


async def waiting(database: Database) -> int:
    """How many visits aren't judged."""
    async with database.read() as connection:
        return len((await connection.execute(select(visit.c.id))).all())


async def test_a_person_s_open_counts_once_its_mail_is_quiet(database: Database, visits: VisitStore) -> None:
    await visits.record([to(1)])
    assert await visits.judge(LATER - timedelta(seconds=1)) == 0
    assert await first_times(database) == [(None, None)] * 2
    assert await visits.judge(LATER) == 1
    assert await first_times(database) == [(NOON, None), (None, None)]
    assert await events(database) == [(1, "opened", None, "")]
    assert await waiting(database) == 0


async def test_who_clicks_has_opened_and_the_first_times_stay(database: Database, visits: VisitStore) -> None:
    await visits.record([to(2, link=5)])
    await visits.judge(LATER)
    await visits.record([to(2, "b", at=LATER), to(2, "c", link=6, at=LATER)])
    await visits.judge(LATER + QUIET)
    assert await first_times(database) == [(None, None), (NOON, NOON)]
    assert (2, "clicked", 6, "") in await events(database)


async def test_a_machine_s_visits_are_events_of_their_own_and_change_nothing(
    database: Database, visits: VisitStore
) -> None:
    await visits.record([to(1, f"burst{link}", link=link) for link in (1, 2, 3)] + [to(2, agent="Mozilla/5.0")])
    assert await visits.judge(LATER) == 4
    burst = [(1, "machine_clicked", link, "burst") for link in (1, 2, 3)]
    assert sorted(await events(database), key=str) == sorted([*burst, (2, "machine_opened", None, "agent")], key=str)
    assert await first_times(database) == [(None, None)] * 2


async def test_nothing_is_kept_of_mails_that_measure_nothing_or_never_went(
    database: Database, visits: VisitStore
) -> None:
    await a_mail(database, "m1", 3, "sent", tracked=False)
    await a_mail(database, "m1", 4, "excluded", tracked=True, reason="duplicate")
    await visits.record([to(3), to(4, "b"), to(9, "c"), replace(to(1, "d"), number=7)])
    assert await waiting(database) == 0


@pytest.mark.parametrize("agent", [FIREFOX.agent, "Mozilla/5.0"])
async def test_whoever_opens_a_mail_in_doubt_shows_that_it_was_accepted(
    database: Database, visits: VisitStore, agent: str
) -> None:
    await a_mail(database, "m1", 3, "unknown", tracked=True, doubted=True)
    await visits.record([to(3, agent=agent)])
    await visits.judge(LATER)
    async with database.read() as connection:
        assert (await connection.execute(select(delivery.c.state).where(delivery.c.seq == 3))).scalar_one() == "sent"


async def test_a_visit_that_is_written_twice_counts_once_even_after_it_was_judged(
    database: Database, visits: VisitStore
) -> None:
    await visits.record([to(1)])
    await visits.record([to(1), to(1)])
    await visits.judge(LATER)
    await visits.record([to(1)])
    await visits.judge(LATER)
    assert await events(database) == [(1, "opened", None, "")]
    assert await waiting(database) == 0


async def test_whoever_holds_a_link_fills_no_disk_with_it(database: Database, visits: VisitStore) -> None:
    await visits.record([to(1, f"a{number}") for number in range(MOST_VISITS + 9)])
    await visits.record([to(1, "b"), to(1, "c", link=1)])
    assert await waiting(database) == MOST_VISITS + 1
    await visits.judge(LATER)
    await visits.record([to(1, "d"), to(1, "e", link=1)])
    assert await waiting(database) == 1


async def test_choosing_an_audience_judges_at_once_and_waits_for_what_has_only_just_begun(
    database: Database, visits: VisitStore
) -> None:
    await visits.record([to(1, link=1), to(2, "b")])
    judging = asyncio.create_task(visits.judge_stage(STAGE, NOON + BURST / 2))
    await asyncio.wait([judging], timeout=BURST.total_seconds() / 2)
    await visits.record([to(1, f"m{link}", link=link, at=NOON + BURST / 2) for link in (2, 3)])
    await judging
    assert await first_times(database) == [(None, None), (NOON, None)]
    assert [kind for _, kind, _, _ in await events(database)].count("machine_clicked") == 3


async def test_judging_a_stage_leaves_the_others_alone(database: Database, visits: VisitStore) -> None:
    await a_mail(database, "m1", 1, "sent", stage=1, tracked=True)
    await visits.record([replace(to(1), stage=1)])
    await visits.judge_stage(STAGE, LATER)
    assert await waiting(database) == 1
