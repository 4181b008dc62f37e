"""The feed: whatever happened to mails gets its place when somebody asks, so that nothing is skipped."""

import re
from typing import Any

from sqlalchemy import Row, Select, Update, func, insert, literal, null, select, text, tuple_, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.errors import InvalidOrder
from serienmail.domain.feed import OUTCOMES, FeedEvent, FeedPage, told_as
from serienmail.domain.states import DeliveryState
from serienmail.storage.database import Database
from serienmail.storage.rows import same_row
from serienmail.storage.tables import NOT_TOLD_YET, contact, delivery, event, measured_link

BATCH = 10_000
"""Events that get their places in one transaction; more than a page has."""
_KEY = (delivery.c.mass_mail_id, delivery.c.stage, delivery.c.seq)
LONGEST_DETAIL = 1000
_not_told_yet = text(f"({NOT_TOLD_YET})")


class FeedStore:
    """Pages of events after a place.

    A place is given when an event is read for the first time, by one reader at a time, in a transaction that is
    committed before the event is shown. So it doesn't matter in which order the events were written, nor which of
    their transactions is still open: what isn't committed has no place yet, and gets a later one.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, after: str = "", limit: int = 500) -> FeedPage:
        """Events after the place that an earlier page calls ``next``; from the first one if that is empty."""
        if not re.fullmatch(r"[0-9]{0,18}", after):
            raise InvalidOrder("No page of the feed ends there; give what the last one calls 'next', or nothing.")
        await self._give_places()
        query = _told().where(event.c.position > int(after or 0)).order_by(event.c.position).limit(limit + 1)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        page = rows[:limit]
        last = str(page[-1].position) if page else after or "0"
        return FeedPage([_event(row) for row in page], last, len(rows) > limit)

    async def _give_places(self) -> None:
        """To some of what is committed now; a reader who comes again and again gets to the end."""
        async with self._database.read() as connection:
            if (await connection.execute(_NEW)).first() is None:
                return
        async with self._database.write() as connection:
            await _one_at_a_time(connection)
            await _tell_outcomes(connection)
            await connection.execute(_places())


_NEW = union_all(
    select(literal(1)).select_from(delivery).where(_not_told_yet),
    select(literal(1)).select_from(event).where(event.c.position.is_(null())),
).limit(1)


async def _one_at_a_time(connection: AsyncConnection) -> None:
    """SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        await connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7462)")


async def _tell_outcomes(connection: AsyncConnection) -> int:
    """What servers answered becomes events, some thousand of them; how many. Sending itself writes no event."""
    chosen = select(*_KEY).where(_not_told_yet).order_by(*_KEY).limit(BATCH).with_for_update(skip_locked=True)
    told = update(delivery).where(tuple_(*_KEY).in_(chosen)).values(told=delivery.c.state)
    at = func.coalesce(delivery.c.finished_at, delivery.c.handed_over_at, type_=delivery.c.finished_at.type)
    rows = (await connection.execute(told.returning(*_KEY, delivery.c.state, delivery.c.reply, at.label("at")))).all()
    if rows:
        await connection.execute(insert(event), [_outcome(row) for row in sorted(rows, key=lambda row: row.at)])
    return len(rows)


def _outcome(row: Row[Any]) -> dict[str, Any]:
    named = {name: getattr(row, name) for name in ("mass_mail_id", "stage", "seq", "at")}
    return named | {"kind": OUTCOMES[DeliveryState(row.state)], "detail": row.reply[:LONGEST_DETAIL]}


def _places() -> Update:
    """The next places for the first of those that have none."""
    number = func.row_number().over(order_by=event.c.id).label("number")
    chosen = select(event.c.id, number).where(event.c.position.is_(null())).order_by(event.c.id).limit(BATCH).subquery()
    taken = event.alias()
    last = select(func.coalesce(func.max(taken.c.position), 0)).scalar_subquery()
    return update(event).where(event.c.id == chosen.c.id).values(position=last + chosen.c.number)


def _told() -> Select[Any]:
    return (
        select(event, measured_link.c.url, func.coalesce(contact.c.key, "").label("contact"))
        .outerjoin(measured_link, measured_link.c.id == event.c.link)
        .outerjoin(delivery, same_row(delivery, event))
        .outerjoin(contact, contact.c.id == delivery.c.contact_id)
        .where(event.c.kind != "late_reply")  # changed nothing
    )


def _event(row: Row[Any]) -> FeedEvent:
    kind, machine = told_as(row.kind)
    return FeedEvent(
        id=row.id,
        kind=kind,
        machine=machine,
        at=row.at,
        mass_mail=row.mass_mail_id,
        stage=row.stage,
        recipient=row.seq,
        contact=row.contact,
        link=row.url,
        detail=row.detail,
    )
