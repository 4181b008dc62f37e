"""Rows in doubt that a relay's log may decide, and what becomes of them when it does."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.delivery import CLAIM_TO_DOT, StageKey
from serienmail.domain.doubt import TRACED_AFTER, Doubt, Finding, settled
from serienmail.domain.states import DeliveryState
from serienmail.storage.rows import rows_of
from serienmail.storage.tables import delivery

_AT_ONCE = 10_000
QUEUED = "queued, as the relay's log shows"
_QUIET = TRACED_AFTER - CLAIM_TO_DOT


async def doubts_of(connection: AsyncConnection, key: StageKey, now: datetime) -> tuple[Doubt, ...]:
    """Rows without an outcome whose claim can lead to nothing any more."""
    silent = and_(delivery.c.state == DeliveryState.HANDING_OVER, delivery.c.handed_over_at <= now - TRACED_AFTER)
    given_up = and_(delivery.c.state == DeliveryState.UNKNOWN, delivery.c.finished_at <= now - _QUIET)
    columns = [delivery.c[name] for name in ("seq", "token", "message_id", "dated_at")]
    query = select(*columns).where(rows_of(key), or_(silent, given_up)).order_by(delivery.c.seq).limit(_AT_ONCE)
    rows = (await connection.execute(query)).all()
    return tuple(Doubt(key, row.seq, row.token, row.message_id, row.dated_at) for row in rows)


async def settle_doubts(
    connection: AsyncConnection, doubts: Sequence[Doubt], findings: Mapping[str, Finding], now: datetime
) -> None:
    """Write what is proved, where the row still is as it was. What provably never came is as if never begun."""
    for doubt in doubts:
        this = and_(rows_of(doubt.key), delivery.c.seq == doubt.seq, delivery.c.token == doubt.token)
        in_doubt = delivery.c.state.in_([DeliveryState.HANDING_OVER, DeliveryState.UNKNOWN])
        match settled(findings, doubt):
            case DeliveryState.SENT:
                sent = {"state": DeliveryState.SENT, "finished_at": now, "reply": QUEUED, "reason": ""}
                await connection.execute(update(delivery).where(this, in_doubt).values(sent))
            case DeliveryState.PENDING:
                again = {"state": DeliveryState.PENDING, "doubted": False, "finished_at": None, "reply": ""}
                again |= {"attempts": delivery.c.attempts - 1}
                await connection.execute(update(delivery).where(this, in_doubt).values(again))
