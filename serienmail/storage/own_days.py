"""Whose turn has come of an audience that comes one by one, each so long after their own open or click."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, null, select
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.delivery import StageKey
from serienmail.domain.loading import Load, OwnDays
from serienmail.domain.mass_mail import Audience
from serienmail.domain.states import DeliveryState
from serienmail.storage.audience import everybody_of
from serienmail.storage.rows import rows_of
from serienmail.storage.tables import contact, delivery

_EVENTS = {Audience.OPENED: delivery.c.opened_at, Audience.CLICKED: delivery.c.clicked_at}
_there = delivery.alias()


async def due_by_now(connection: AsyncConnection, load: Load, own_days: OwnDays, now: datetime) -> Select[Any]:
    """Those of an audience for whom the days after their own event are over, and nothing is decided yet."""
    undecided, event, _ = await _undecided(connection, load, own_days)
    return undecided.where(event <= now - own_days.after)


async def looks_again(connection: AsyncConnection, load: Load, own_days: OwnDays, now: datetime) -> datetime | None:
    """When somebody else may be due; None if nobody can be any more."""
    undecided, event, last_mail = await _undecided(connection, load, own_days)
    first = (await connection.execute(undecided.with_only_columns(func.min(event)))).scalar_one()
    return own_days.looks_again(now, first, last_mail)


def already_gets_it(key: StageKey, address_key: ColumnElement[Any]) -> ColumnElement[bool]:
    """Somebody with this address is among the stage's recipients."""
    return exists().where(_of_stage(key), _there.c.address_key == address_key, _there.c.state != DeliveryState.EXCLUDED)


async def _undecided(
    connection: AsyncConnection, load: Load, own_days: OwnDays
) -> tuple[Select[Any], ColumnElement[datetime], datetime | None]:
    """Whose event came in time and who isn't among the stage's recipients; the event; when the last mail went out."""
    audience = load.audience or Audience.OPENED
    event = _EVENTS[audience]
    shown = and_(rows_of(load.asked), delivery.c.tracked, delivery.c.state == DeliveryState.SENT)
    last_mail = (await connection.execute(select(func.max(delivery.c.finished_at)).where(shown))).scalar_one()
    in_time = false() if last_mail is None else event < last_mail + own_days.within
    decided = and_(_of_stage(load.key), _there.c.contact_id == contact.c.id)
    new = everybody_of(load.asked, audience).outerjoin(_there, decided).where(_there.c.seq.is_(null()))
    return new.where(in_time), event, last_mail


def _of_stage(key: StageKey) -> ColumnElement[bool]:
    return and_(_there.c.mass_mail_id == key.mass_mail_id, _there.c.stage == key.stage)
