"""What a stage can do next, read off the ledger."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, false, func, null, select
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.delivery import HAND_OVER_LIMIT, Plan, SliceRange, StageKey
from serienmail.domain.doubt import TRACED_AFTER, TRACED_FOR
from serienmail.domain.errors import LedgerWentBack
from serienmail.domain.states import OPEN_STATES, DeliveryState
from serienmail.storage.doubt import settle
from serienmail.storage.rows import domain_of, is_due, rows_of
from serienmail.storage.shaping import Hold
from serienmail.storage.tables import delivery

PLANNED_SLICES = 200
ONE_EACH_UP_TO = 500
LEAST_SLICE, MOST_SLICE = 250, 500
"""Each slice costs Temporal some 20 ms of a processor; its rows lie in memory while it waits for its turn."""
SLICES_FOR_ALL = 40
"""A stage has as many slices at least, so that several workers share them, before these are more than the least."""
LOOKS_AGAIN = timedelta(minutes=1)
TRACING = "mails in doubt are being looked for in the relay's log"


async def plan_stage(
    connection: AsyncConnection,
    key: StageKey,
    slice_size: int | None,
    now: datetime,
    traced: bool,
    holds: Sequence[Hold] = (),
    *,
    resend: bool,
    out: int,
) -> Plan:
    """Settle first; then slices that are due, else when to look again, else an empty plan: the stage is over.

    traced, resend, out: as in Ledger.plan.
    """
    progress, _ = await _progress(connection, key, traced, holds)
    if progress.get(DeliveryState.SENT, 0) < out:
        raise LedgerWentBack(progress.get(DeliveryState.SENT, 0), out)
    undecided_since = now - TRACED_FOR if traced else now
    await settle(connection, key, now, undecided_since if resend else None)
    progress, _ = await _progress(connection, key, traced, holds)
    recipients = sum(progress.values()) - progress.get(DeliveryState.EXCLUDED, 0)
    size = slice_size or usual_slice(recipients)
    slices = await _due_slices(connection, key, size, now, holds)
    if slices:
        return Plan(slices=slices, progress=progress)
    # Counted again, with the times in one snapshot: a row that was pending above may just have been claimed by a
    # zombie, or given back. The stage is over only if none is open at one and the same moment.
    held = [(hold, waiting) for hold in holds if (waiting := await _waiting_for(connection, key, hold))]
    progress, wake_at = await _progress(connection, key, traced, holds)
    if not any(progress.get(state) for state in (*OPEN_STATES, DeliveryState.HANDING_OVER)):
        asked_until = await _asked_until(connection, key) if traced else None
        if asked_until is None or asked_until <= now:
            return Plan(progress=progress)
        return Plan(wake_at=min(now + LOOKS_AGAIN, asked_until), reason=TRACING, progress=progress)
    wake_at = min([hold.until for hold, _ in held] + ([wake_at] if wake_at else []), default=now)
    reason = _reason(progress, await _early(connection, key, now), held)
    return Plan(wake_at=wake_at, reason=reason, progress=progress)


def usual_slice(recipients: int) -> int:
    """Recipients for each send activity of a stage with so many."""
    if recipients <= ONE_EACH_UP_TO:
        return 1  # an activity of its own for each, which operators find by its number
    return max(LEAST_SLICE, min(MOST_SLICE, recipients // SLICES_FOR_ALL))


def is_held(holds: Sequence[Hold]) -> ColumnElement[bool]:
    """Its provider takes nothing now."""
    domains = [domain for hold in holds for domain in hold.domains]
    return func.coalesce(domain_of(delivery.c.address_key), "").in_(domains) if domains else false()


async def _asked_until(connection: AsyncConnection, key: StageKey) -> datetime | None:
    """How long it makes sense to ask the relay's log about rows in doubt; None if there are none."""
    doubted = and_(rows_of(key), delivery.c.state == DeliveryState.UNKNOWN)
    latest = (await connection.execute(select(func.max(delivery.c.finished_at)).where(doubted))).scalar_one()
    return latest + TRACED_FOR if latest else None


async def _progress(
    connection: AsyncConnection, key: StageKey, traced: bool, holds: Sequence[Hold]
) -> tuple[dict[str, int], datetime | None]:
    """How many rows are in each state, and when the first deferred or silent one is to be looked at."""
    free = case((is_held(holds), null()), else_=delivery.c.next_try_at) if holds else delivery.c.next_try_at
    counted = select(
        delivery.c.state,
        func.count().label("rows"),
        func.min(free).label("next_try"),
        func.min(delivery.c.handed_over_at).label("handed_over"),
    )
    rows = (await connection.execute(counted.where(rows_of(key)).group_by(delivery.c.state))).all()
    times = [row.next_try for row in rows if row.state in OPEN_STATES and row.next_try]
    limit = TRACED_AFTER if traced else HAND_OVER_LIMIT
    times += [row.handed_over + limit for row in rows if row.state == DeliveryState.HANDING_OVER]
    return {row.state: row.rows for row in rows}, min(times, default=None)


async def _waiting_for(connection: AsyncConnection, key: StageKey, hold: Hold) -> int:
    """How many a hold keeps waiting."""
    due = and_(rows_of(key), delivery.c.state.in_(OPEN_STATES), is_held([hold]))
    return (await connection.execute(select(func.count()).where(due))).scalar_one()


async def _early(connection: AsyncConnection, key: StageKey, now: datetime) -> int:
    """How many wait for the time in their zone."""
    waiting = and_(rows_of(key), delivery.c.state == DeliveryState.PENDING, delivery.c.next_try_at > now)
    return (await connection.execute(select(func.count()).where(waiting))).scalar_one()


async def _due_slices(
    connection: AsyncConnection, key: StageKey, size: int, now: datetime, holds: Sequence[Hold]
) -> tuple[SliceRange, ...]:
    due = select(delivery.c.seq).where(rows_of(key), is_due(now), ~is_held(holds))
    chosen = due.order_by(delivery.c.seq).limit(PLANNED_SLICES * size)
    seqs = (await connection.execute(chosen)).scalars().all()
    return tuple(SliceRange(seqs[i], seqs[min(i + size, len(seqs)) - 1]) for i in range(0, len(seqs), size))


def _reason(progress: Mapping[str, int], early: int, held: Sequence[tuple[Hold, int]]) -> str:
    deferred, in_hand = progress.get(DeliveryState.DEFERRED, 0), progress.get(DeliveryState.HANDING_OVER, 0)
    parts = [f"{hold.why}: {waiting} wait until {hold.until:%H:%M %Z}" for hold, waiting in held]
    parts += [f"{early} wait for the time in their zone"] if early else []
    parts += [f"{deferred} deferred by their servers"] if deferred else []
    parts += [f"{in_hand} handed over, answer outstanding"] if in_hand else []
    return ", ".join(parts)
