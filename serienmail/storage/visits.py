"""Requests for pixels and links: kept as they came, and judged once their mail is left alone."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    FromClause,
    Integer,
    Row,
    Select,
    Text,
    Update,
    and_,
    delete,
    exists,
    func,
    null,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from serienmail.domain.delivery import StageKey
from serienmail.domain.judging import BURST, QUIET, MachineList, Visit, judge
from serienmail.domain.states import DeliveryState
from serienmail.storage.database import Database
from serienmail.storage.doubt import arrived
from serienmail.storage.given import as_given, as_text, given_rows
from serienmail.storage.rows import same_row
from serienmail.storage.tables import UtcDateTime, delivery, event, mass_mail, visit
from serienmail.storage.triggers import keep_set_off

MOST_VISITS = 50
"""Of one kind for one mail: whoever holds a link could else fill the disk."""
_MAILS = 500
"""Mails judged in one transaction."""


@dataclass(frozen=True, slots=True)
class VisitTo:
    """A visit and what it was for. id: made once, where it came in; the mail as links name it."""

    id: str
    number: int
    stage: int
    seq: int
    visit: Visit


class VisitStore:
    """Keeps visits until they are judged; then an event is left of each, and what a person did, on the delivery."""

    def __init__(self, database: Database, machines: MachineList) -> None:
        self._database = database
        self._machines = machines
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._kept = _keep(database.is_sqlite)
        self._first_times = _first_times(database.is_sqlite)
        given = given_rows(_FIRSTS, _FIRST_COLUMNS, database.is_sqlite)
        self._visited = exists().where(same_row(given, delivery))

    async def record(self, visits: Sequence[VisitTo]) -> None:
        """Keep these, in one statement; those of mails that measure nothing are left out. Safe to repeat."""
        kept = Counter[tuple[object, ...]]()
        given = []
        for each in visits:
            mail = (each.number, each.stage, each.seq, each.visit.link > 0)
            kept[mail] += 1
            if kept[mail] <= MOST_VISITS:
                given.append(self._values(each))
        async with self._database.write(by_key=True) as connection:
            await connection.execute(self._kept, {_VISITS: as_given(given)})

    async def judge(self, now: datetime) -> int:
        """Judge the mails that nobody has touched for QUIET, some of them at a time; how many visits those were."""
        async with self._database.write(by_key=True) as connection:
            return await self._judge(connection, _left_alone(now - QUIET))

    async def judge_stage(self, key: StageKey, now: datetime) -> None:
        """Judge all visits to a stage's mails that there are, so that an audience can be chosen by them.

        If somebody has only just been there, it waits until a machine would have shown itself.
        """
        of_stage = and_(visit.c.mass_mail_id == key.mass_mail_id, visit.c.stage == key.stage)
        async with self._database.read() as connection:
            last = (await connection.execute(select(func.max(visit.c.at)).where(of_stage))).scalar_one()
        if last and now - last < BURST:
            await asyncio.sleep(BURST.total_seconds())
        judged = _MAILS
        while judged:
            async with self._database.write() as connection:
                judged = await self._judge(connection, _mails().where(of_stage).limit(_MAILS))

    def _values(self, each: VisitTo) -> dict[str, Any]:
        came = each.visit
        values = {name: getattr(came, name) for name in _AS_IT_CAME}
        named = {"id": each.id, "number": each.number, "stage": each.stage, "seq": each.seq}
        return named | values | {"at": as_text(came.at, self._database.is_sqlite)}

    async def _judge(self, connection: AsyncConnection, mails: Select[Any]) -> int:
        chosen = select(visit).where(tuple_(*_mail_of(visit)).in_(mails)).order_by(*_mail_of(visit), visit.c.at)
        rows = (await connection.execute(chosen.with_for_update())).all()
        if not rows:
            return 0
        events = [each for _, group in groupby(rows, key=_mail) for each in self._events(list(group))]
        await connection.execute(self._insert(event).on_conflict_do_nothing(), events)
        firsts = {_FIRSTS: as_given(self._firsts(events))}
        await connection.execute(self._first_times, firsts)
        await connection.execute(arrived(self._visited, events[-1]["at"]), firsts)  # a machine has it from somebody
        await keep_set_off(connection, events)
        await connection.execute(delete(visit).where(visit.c.id.in_([row.id for row in rows])))
        return len(rows)

    def _events(self, rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
        """What is left of one mail's visits."""
        visits = [Visit(**{name: getattr(row, name) for name in ("at", *_AS_IT_CAME)}) for row in rows]
        return [
            {
                "kind": f"{'machine_' if reason else ''}{'clicked' if row.link else 'opened'}",
                "mass_mail_id": row.mass_mail_id,
                "stage": row.stage,
                "seq": row.seq,
                "at": row.at,
                "detail": reason or "",
                "link": row.link or None,
                "key": row.id,
            }
            for row, reason in zip(rows, judge(visits, self._machines), strict=True)
        ]

    def _firsts(self, events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """When each mail's person opened and clicked first; who clicks has opened, pictures or not."""
        firsts: dict[tuple[Any, ...], dict[str, Any]] = {}
        for each in sorted(events, key=lambda each: each["at"]):
            first = firsts.setdefault(_MAIL(each), dict(zip(_MAIL_COLUMNS, _MAIL(each), strict=True)))
            at = as_text(each["at"], self._database.is_sqlite)
            if each["kind"] in ("opened", "clicked"):
                first.setdefault("opened_at", at)
            if each["kind"] == "clicked":
                first.setdefault("clicked_at", at)
        return [{"opened_at": None, "clicked_at": None} | firsts[mail] for mail in sorted(firsts)]


_MAIL_COLUMNS = ("mass_mail_id", "stage", "seq")
_MAIL = itemgetter(*_MAIL_COLUMNS)
_mail = attrgetter(*_MAIL_COLUMNS)
_AS_IT_CAME = ("link", "method", "network", "agent", "scanner")
_VISITS, _FIRSTS = "visits", "firsts"
_VISIT_COLUMNS: dict[str, TypeEngine[Any]] = {
    "id": Text(),
    "number": Integer(),
    "stage": Integer(),
    "seq": Integer(),
    "at": UtcDateTime(),
    "link": BigInteger(),
    "method": Text(),
    "network": Text(),
    "agent": Text(),
    "scanner": Boolean(),
}
_FIRST_COLUMNS: dict[str, TypeEngine[Any]] = {
    "mass_mail_id": Text(),
    "stage": Integer(),
    "seq": Integer(),
    "opened_at": UtcDateTime(),
    "clicked_at": UtcDateTime(),
}


def _mail_of(table: FromClause) -> list[ColumnElement[Any]]:
    return [table.c[name] for name in _MAIL_COLUMNS]


def _left_alone(since: datetime) -> Select[Any]:
    """Some mails that nobody has touched since then, those that wait for longest first.

    By the time alone, and then for each: grouping all that wait took longer the more came, until nothing else got on.
    """
    later = visit.alias("later")
    touched = exists().where(same_row(later, visit), later.c.at > since)
    return select(*_mail_of(visit)).where(visit.c.at <= since, ~touched).order_by(visit.c.at).limit(_MAILS)


def _mails() -> Select[Any]:
    return select(*_mail_of(visit)).group_by(*_mail_of(visit))


def _keep(is_sqlite: bool) -> Any:
    """Only what mails measure that were handed over, and not without end."""
    given = given_rows(_VISITS, _VISIT_COLUMNS, is_sqlite)
    clicked = given.c.link > 0
    waiting = select(func.count()).where(same_row(visit, delivery), (visit.c.link > 0) == clicked)
    kinds = event.c.kind.in_(("opened", "machine_opened", "clicked", "machine_clicked"))
    judged = select(func.count()).where(same_row(event, delivery), kinds, event.c.link.is_not(null()) == clicked)
    measured = (
        select(given.c.id, *_mail_of(delivery), given.c.at, *(given.c[name] for name in _AS_IT_CAME))
        .join(mass_mail, mass_mail.c.number == given.c.number)
        .join(delivery, delivery.c.mass_mail_id == mass_mail.c.id)
        .where(delivery.c.stage == given.c.stage, delivery.c.seq == given.c.seq)
        .where(delivery.c.tracked, delivery.c.state != DeliveryState.EXCLUDED)
        .where(waiting.scalar_subquery() + judged.scalar_subquery() < MOST_VISITS)
    )
    new = (sqlite if is_sqlite else postgresql).insert(visit)
    return new.from_select(["id", *_MAIL_COLUMNS, "at", *_AS_IT_CAME], measured).on_conflict_do_nothing()


def _first_times(is_sqlite: bool) -> Update:
    first = given_rows(_FIRSTS, _FIRST_COLUMNS, is_sqlite)
    times = {name: func.coalesce(delivery.c[name], first.c[name]) for name in ("opened_at", "clicked_at")}
    return update(delivery).where(same_row(delivery, first)).values(times)
