"""Mails in doubt: what begins a doubt, and the three things that end it: evidence, a late answer, somebody's word."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Update, and_, func, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.commands import Resolution
from serienmail.domain.delivery import HAND_OVER_LIMIT, StageKey
from serienmail.domain.states import OPEN_STATES, DeliveryState
from serienmail.storage.rows import rows_of
from serienmail.storage.tables import delivery

_EVIDENCE = ("opened_at", "clicked_at", "bounced_at", "delivered_at", "complained_at", "replied_at", "unsubscribed_at")
"""What only somebody can have done who has the mail, or a server that took it."""
_AGAIN: dict[str, Any] = {"state": DeliveryState.PENDING, "resent": True, "reason": "", "finished_at": None}


async def settle(connection: AsyncConnection, key: StageKey, now: datetime, resend: datetime | None) -> None:
    """Rows handed over so long ago that no answer can come any more are in doubt; those with evidence are sent.

    resend: what is in doubt since then or longer is due once more, but never a second time.
    """
    late = and_(delivery.c.state == DeliveryState.HANDING_OVER, delivery.c.handed_over_at <= now - HAND_OVER_LIMIT)
    doubt = {"state": DeliveryState.UNKNOWN, "doubted": True, "finished_at": now}
    await connection.execute(update(delivery).where(rows_of(key), late).values(doubt))
    evidence = or_(*(delivery.c[column].is_not(null()) for column in _EVIDENCE))
    await connection.execute(arrived(and_(rows_of(key), evidence), now))
    if resend:
        still = and_(delivery.c.state == DeliveryState.UNKNOWN, delivery.c.finished_at <= resend)
        again = and_(rows_of(key), still, ~delivery.c.resent)
        await connection.execute(update(delivery).where(again).values(_AGAIN))


def arrived(these: ColumnElement[bool], at: datetime) -> Update:
    """Of these rows those that were in doubt are sent, also if they were due once more."""
    doubtful = and_(delivery.c.doubted, delivery.c.state.in_((DeliveryState.UNKNOWN, *OPEN_STATES)))
    values = {"state": DeliveryState.SENT, "reason": "", "finished_at": func.coalesce(delivery.c.finished_at, at)}
    return update(delivery).where(these, doubtful).values(values)


async def resolve(
    connection: AsyncConnection, key: StageKey, resolution: Resolution, recipients: Sequence[int], now: datetime
) -> int:
    """Settle these recipients, or all in doubt, as somebody said; how many. 0, and nothing written, if one of these
    isn't in doubt. The same word again changes nothing, and has the same answer.
    """
    settled = DeliveryState.SENT if resolution is Resolution.SENT else DeliveryState.PENDING
    meant = and_(rows_of(key), delivery.c.doubted, delivery.c.state.in_((DeliveryState.UNKNOWN, settled)))
    if recipients:
        meant = and_(meant, delivery.c.seq.in_(recipients))
    found = (await connection.execute(select(func.count()).select_from(delivery).where(meant))).scalar_one()
    if recipients and found != len(set(recipients)):
        return 0
    unresolved = and_(meant, delivery.c.state == DeliveryState.UNKNOWN)
    again = update(delivery).where(unresolved).values(_AGAIN)
    await connection.execute(again if resolution is Resolution.RESEND else arrived(unresolved, now))
    return int(found)
