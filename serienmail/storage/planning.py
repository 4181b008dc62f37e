"""What a stage can do next, read off the ledger."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.delivery import HAND_OVER_LIMIT, Plan, SliceRange, StageKey
from serienmail.domain.states import DeliveryState
from serienmail.storage.rows import is_due, rows_of
from serienmail.storage.tables import delivery

PLANNED_SLICES = 200
ONE_EACH_UP_TO = 500
LARGE_SLICE = 250


async def plan_stage(connection: AsyncConnection, key: StageKey, slice_size: int | None, now: datetime) -> Plan:
    """Settle first; then slices that are due, else when to look again, else an empty plan: the stage is over."""
    await _settle(connection, key, now)
    progress = await _progress(connection, key)
    recipients = sum(progress.values()) - progress.get(DeliveryState.EXCLUDED, 0)
    size = slice_size or (1 if recipients <= ONE_EACH_UP_TO else LARGE_SLICE)
    slices = await _due_slices(connection, key, size, now)
    if slices:
        return Plan(slices=slices, progress=progress)
    wake_at, reason = await _wake_up(connection, key, progress)
    return Plan(wake_at=wake_at, reason=reason, progress=progress)


async def _settle(connection: AsyncConnection, key: StageKey, now: datetime) -> None:
    """Rows handed over so long ago that no answer can come any more are in doubt."""
    silent = and_(
        rows_of(key),
        delivery.c.state == DeliveryState.HANDING_OVER,
        delivery.c.handed_over_at <= now - HAND_OVER_LIMIT,
    )
    doubt = {"state": DeliveryState.UNKNOWN, "doubted": True, "finished_at": now}
    await connection.execute(update(delivery).where(silent).values(doubt))


async def _progress(connection: AsyncConnection, key: StageKey) -> dict[str, int]:
    counted = select(delivery.c.state, func.count().label("rows")).where(rows_of(key)).group_by(delivery.c.state)
    return {row.state: row.rows for row in await connection.execute(counted)}


async def _due_slices(connection: AsyncConnection, key: StageKey, size: int, now: datetime) -> tuple[SliceRange, ...]:
    due = select(delivery.c.seq).where(rows_of(key), is_due(now)).order_by(delivery.c.seq).limit(PLANNED_SLICES * size)
    seqs = (await connection.execute(due)).scalars().all()
    return tuple(SliceRange(seqs[i], seqs[min(i + size, len(seqs)) - 1]) for i in range(0, len(seqs), size))


async def _wake_up(
    connection: AsyncConnection, key: StageKey, progress: Mapping[str, int]
) -> tuple[datetime | None, str]:
    deferred, in_hand = progress.get(DeliveryState.DEFERRED, 0), progress.get(DeliveryState.HANDING_OVER, 0)
    if not deferred and not in_hand:
        return None, ""
    times = select(
        func.min(delivery.c.next_try_at).filter(delivery.c.state == DeliveryState.DEFERRED),
        func.min(delivery.c.handed_over_at).filter(delivery.c.state == DeliveryState.HANDING_OVER),
    ).where(rows_of(key))
    next_try, handed_over = (await connection.execute(times)).one()
    candidates = [next_try, handed_over and handed_over + HAND_OVER_LIMIT]
    parts = [f"{deferred} deferred by their servers"] if deferred else []
    parts += [f"{in_hand} handed over, answer outstanding"] if in_hand else []
    return min(at for at in candidates if at), ", ".join(parts)
