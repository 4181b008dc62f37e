"""What recipients do with their mail: they open it, or ask for no more."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Update, and_, func, insert, literal, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.exclusion import Exclusion
from serienmail.domain.states import OPEN_STATES, DeliveryState
from serienmail.storage.database import Database
from serienmail.storage.tables import delivery, event, mass_mail, suppression

MOST_EVENTS = 50
"""Of one kind for one mail: whoever holds a link could else fill the disk."""


class Tracking:
    """Opens and opt-outs. A mail is named as its links name it: the mass mail's number, stage, seq.

    An open or an opt-out of a mail in doubt shows that it arrived. Settling a stage concludes that from the events,
    under its own locks; nothing here changes a row in state ``unknown``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def recipient_of(self, number: int, stage: int, seq: int) -> str | None:
        """The address this mail goes to; None if there is no such mail."""
        async with self._database.read() as connection:
            mail = (await connection.execute(_mail(number, stage, seq))).one_or_none()
            return None if mail is None else str(mail.address)

    async def opened(self, number: int, stage: int, seq: int, at: datetime) -> None:
        """Record an open, if this mail measures opens; the delivery keeps the time of the first."""
        async with self._database.write() as connection:
            query = _mail(number, stage, seq).with_for_update(of=delivery)  # else two at once exceed the limit
            mail = (await connection.execute(query)).one_or_none()
            if mail is None or not mail.tracked or mail.state == DeliveryState.EXCLUDED:
                return
            await connection.execute(_first_time(mail, delivery.c.opened_at, at))
            await _append(connection, "opened", mail, at)

    async def unsubscribed(self, number: int, stage: int, seq: int, at: datetime) -> bool:
        """Suppress this mail's address and exclude it wherever it is still due; False if there is no such mail.

        One transaction, so that nobody gets a mail after being told that there will be none.
        """
        async with self._database.write() as connection:
            mail = (await connection.execute(_mail(number, stage, seq))).one_or_none()
            if mail is None:
                return False
            await _suppress(connection, mail, at)
            await _exclude_where_due(connection, mail)
            if (await connection.execute(_first_time(mail, delivery.c.unsubscribed_at, at))).rowcount:
                await _append(connection, "unsubscribed", mail, at)
            return True


def _mail(number: int, stage: int, seq: int) -> Select[Any]:
    """A row without an address never became a mail."""
    return (
        select(delivery)
        .join(mass_mail, mass_mail.c.id == delivery.c.mass_mail_id)
        .where(mass_mail.c.number == number, delivery.c.stage == stage, delivery.c.seq == seq)
        .where(delivery.c.address_key.is_not(None))
    )


def _is(mail: Row[Any]) -> ColumnElement[bool]:
    return and_(
        delivery.c.mass_mail_id == mail.mass_mail_id, delivery.c.stage == mail.stage, delivery.c.seq == mail.seq
    )


def _first_time(mail: Row[Any], column: Any, at: datetime) -> Update:
    return update(delivery).where(_is(mail), column.is_(None)).values({column: at})


async def _append(connection: AsyncConnection, kind: str, mail: Row[Any], at: datetime) -> None:
    same = and_(
        event.c.mass_mail_id == mail.mass_mail_id,
        event.c.stage == mail.stage,
        event.c.seq == mail.seq,
        event.c.kind == kind,
    )
    recorded = (await connection.execute(select(func.count()).select_from(event).where(same))).scalar_one()
    if recorded < MOST_EVENTS:
        row = {"kind": kind, "mass_mail_id": mail.mass_mail_id, "stage": mail.stage, "seq": mail.seq, "at": at}
        await connection.execute(insert(event).values(row | {"detail": ""}))


async def _suppress(connection: AsyncConnection, mail: Row[Any], at: datetime) -> None:
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = {"address_key": mail.address_key, "reason": Exclusion.UNSUBSCRIBED, "since": at, "source": mail.mass_mail_id}
    await connection.execute(dialect.insert(suppression).values(row).on_conflict_do_nothing())


async def _exclude_where_due(connection: AsyncConnection, mail: Row[Any]) -> None:
    """Turn the address's open rows into excluded ones, in every mass mail and stage.

    All rows that this transaction will write are locked first, in the order of their keys: claims and other
    opt-outs lock in that order too, and PostgreSQL would else end one of them as a deadlock.
    """
    due = and_(
        delivery.c.address_key == mail.address_key,
        delivery.c.state.in_(OPEN_STATES),
        delivery.c.doubted.is_(False),
    )
    key = (delivery.c.mass_mail_id, delivery.c.stage, delivery.c.seq)
    await connection.execute(select(literal(1)).where(or_(due, _is(mail))).order_by(*key).with_for_update())
    excluded = {"state": DeliveryState.EXCLUDED, "reason": Exclusion.UNSUBSCRIBED}
    await connection.execute(update(delivery).where(due).values(excluded))
