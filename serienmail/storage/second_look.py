"""A second look at rows that could not be claimed as they were read: consent and address at the last moment."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, and_, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.delivery import SliceJob, StageKey
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.states import DeliveryState
from serienmail.storage.rows import is_due, rows_of
from serienmail.storage.tables import delivery
from serienmail.storage.wanted import Wanted, by_slice, claimable


async def look_again(connection: AsyncConnection, wanted: Sequence[Wanted]) -> list[Wanted]:
    """Those that may be claimed after all, as they are now. Whom nobody may mail any more is excluded; a changed
    address is the row's from here on.
    """
    again: list[Wanted] = []
    for job, changed in by_slice(wanted):
        by_seq = {each.row.seq: each for each in changed}
        due = claimable(job).where(delivery.c.seq.in_(by_seq), is_due(changed[0].now))
        for row in (await connection.execute(due.with_for_update(of=delivery, skip_locked=True))).all():
            if await _may_be_mailed(connection, job, row):
                again.append(replace(by_seq[row.seq], row=row))
    return again


async def _may_be_mailed(connection: AsyncConnection, job: SliceJob, row: Row[Any]) -> bool:
    this = and_(rows_of(job.key), delivery.c.seq == row.seq)
    reason = _refused(row, job.opted_in_only) or await _elsewhere(connection, job.key, row)
    if reason:
        # what was ever in doubt may have arrived: it is never called excluded
        state = DeliveryState.UNKNOWN if row.doubted else DeliveryState.EXCLUDED
        await connection.execute(update(delivery).where(this).values(state=state, reason=reason))
    elif row.address_key != row.row_key:
        await connection.execute(update(delivery).where(this).values(address_key=row.address_key))
    return reason is None


def _refused(row: Row[Any], opted_in_only: bool) -> Exclusion | None:
    if row.id is None:
        return Exclusion.CONTACT_GONE
    if not row.email:
        return Exclusion.NO_ADDRESS
    if row.address_key is None:
        return Exclusion.INVALID_ADDRESS
    if row.suppressed:
        return Exclusion.UNSUBSCRIBED if row.suppressed == "unsubscribed" else Exclusion.SUPPRESSED
    return Exclusion.NO_OPT_IN if opted_in_only and not row.opt_in else None


async def _elsewhere(connection: AsyncConnection, key: StageKey, row: Row[Any]) -> Exclusion | None:
    """A contact that changed its address since may have come to one that is in already.

    A mail that was in doubt stays with its address: it may lie there, and the row must go on saying so.
    """
    if row.address_key == row.row_key:
        return None
    if row.doubted:
        return Exclusion.ADDRESS_CHANGED
    same = and_(rows_of(key), delivery.c.address_key == row.address_key, delivery.c.state != DeliveryState.EXCLUDED)
    taken = (await connection.execute(select(exists().where(same)))).scalar_one()
    return Exclusion.DUPLICATE if taken else None
