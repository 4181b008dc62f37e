"""Claims: the committed right to hand over one mail, taken in groups."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, bindparam, exists, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.delivery import CLAIM_TO_DOT, Claimed, SliceJob, StageKey
from serienmail.domain.errors import EnvironmentFault
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.states import OPEN_STATES, DeliveryState
from serienmail.storage.database import Database
from serienmail.storage.group_commit import GroupCommit
from serienmail.storage.loading import merge_fields
from serienmail.storage.rows import is_due, rows_of, stage_row
from serienmail.storage.tables import contact, delivery, mass_mail, stage, suppression

log = logging.getLogger(__name__)
_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS counts its sleep in the latter

LOOKS_AGAIN_AFTER = 0.5
"""Seconds, the first time; then twice as long each time, up to 5."""

MessageId = Callable[[str, int, int, int], str]
"""(account, mass mail's number, stage, seq) → Message-ID, always the same one for the same mail."""


@dataclass(frozen=True, slots=True)
class _Request:
    job: SliceJob
    now: datetime
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    hand_over_by: float = field(
        default_factory=lambda: time.clock_gettime(_SINCE_BOOT) + CLAIM_TO_DOT.total_seconds()
    )


class Claims:
    """Gives each caller a row of its own."""

    def __init__(self, database: Database, message_id: MessageId) -> None:
        self._database = database
        self._message_id = message_id
        self._group = GroupCommit(self._claim_group)

    async def claim(self, job: SliceJob, now: datetime) -> Claimed | None:
        """The next due row of the slice; None if there is none, or the stage isn't this epoch's."""
        return await self._group(_Request(job, now))

    async def _claim_group(self, requests: Sequence[_Request]) -> Sequence[Claimed | None]:
        """A row for each request, in one transaction. Tokens are the requests' own: if the commit's answer is lost,
        the rows that carry them were claimed by it, and nobody else will ever hand them over.
        """
        try:
            claimed = await self._claim_once(requests)
        except (SQLAlchemyError, OSError, EnvironmentFault):
            claimed = await self._look_for(requests)
            if not claimed:  # it wasn't committed
                raise
        return [claimed.get(request.token) for request in requests]

    async def _claim_once(self, requests: Sequence[_Request]) -> dict[str, Claimed]:
        claimed: dict[str, Claimed] = {}
        async with self._database.write() as connection:
            for job, waiting in _by_slice(requests):
                if await _lock_stage(connection, job):
                    claimed |= await self._claim_slice(connection, job, waiting)
        return claimed

    async def _look_for(self, requests: Sequence[_Request]) -> dict[str, Claimed]:
        """What of these was committed, even if the stage has been closed since; returns when the database answers."""
        delay = LOOKS_AGAIN_AFTER
        while True:
            log.warning("a group of claims got no answer from the database; looking for its tokens in %.1f s", delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5.0)
            with suppress(SQLAlchemyError, OSError, EnvironmentFault):
                async with self._database.write() as connection:
                    return await self._found(connection, requests)

    async def _found(self, connection: AsyncConnection, requests: Sequence[_Request]) -> dict[str, Claimed]:
        found: dict[str, Claimed] = {}
        for job, lost in _by_slice(requests):
            # claims hold a share of this lock: a commit that is still on its way is waited for
            await connection.execute(select(stage.c.number).where(stage_row(job.key)).with_for_update())
            by_token = {request.token: request for request in lost}
            mine = _claimable(job).where(delivery.c.token.in_(by_token))
            rows = (await connection.execute(mine.where(delivery.c.state == DeliveryState.HANDING_OVER))).mappings()
            found |= {row["token"]: self._claimed(by_token[row["token"]], row, row["attempts"]) for row in rows}
        return found

    async def _claim_slice(
        self, connection: AsyncConnection, job: SliceJob, requests: Sequence[_Request]
    ) -> dict[str, Claimed]:
        waiting, claimed = list(requests), dict[str, Claimed]()
        while waiting:
            due = _claimable(job).where(is_due(waiting[0].now)).limit(len(waiting))
            rows = (await connection.execute(due.with_for_update(of=delivery, skip_locked=True))).mappings().all()
            if not rows:
                break
            values: list[dict[str, Any]] = []
            for row in rows:
                taken = any(value["address_key"] == row["address_key"] for value in values)
                if await _excluded_now(connection, job, row, taken):
                    continue
                request = waiting.pop(0)
                mine = self._claimed(request, row, row["attempts"] + 1)
                claimed[request.token] = mine
                values.append(_claim_values(mine, job, request.now, row["address_key"]))
            if values:
                await connection.execute(_CLAIM, values)
        return claimed

    def _claimed(self, request: _Request, row: Mapping[str, Any], attempts: int) -> Claimed:
        job, number = request.job, row["number"]
        return Claimed(
            key=job.key,
            seq=row["seq"],
            token=request.token,
            number=number,
            address=row["email"],
            contact=merge_fields(row),
            tracked=job.measured and row["tracking"],
            message_id=row["message_id"] or self._message_id(job.account, number, job.key.stage, row["seq"]),
            dated_at=row["dated_at"] or request.now,
            attempts=attempts,
            hand_over_by=request.hand_over_by,
        )


def _by_slice(requests: Sequence[_Request]) -> list[tuple[SliceJob, list[_Request]]]:
    """In one order for everybody, else PostgreSQL finds deadlocks."""
    by_slice: dict[SliceJob, list[_Request]] = {}
    for request in requests:
        by_slice.setdefault(request.job, []).append(request)
    return sorted(by_slice.items(), key=lambda slice: _lock_order(slice[0]))


def _lock_order(job: SliceJob) -> tuple[str, int, int]:
    return job.key.mass_mail_id, job.key.stage, job.range.first


async def _lock_stage(connection: AsyncConnection, job: SliceJob) -> bool:
    """Whether this epoch may claim. A stop waits until the claim is committed."""
    mine = select(stage.c.number).where(stage_row(job.key), stage.c.epoch == job.epoch, stage.c.open)
    return (await connection.execute(mine.with_for_update(read=True))).first() is not None


def _claimable(job: SliceJob) -> Select[Any]:
    """The slice's rows with what their mails need: the contact as it is now, and its suppression."""
    own = [delivery.c[name] for name in ("seq", "token", "attempts", "message_id", "dated_at", "doubted")]
    own += [mass_mail.c.number, delivery.c.address_key.label("row_key"), suppression.c.reason.label("suppressed")]
    return (
        select(*own, contact)
        .select_from(delivery)
        .join(mass_mail, mass_mail.c.id == delivery.c.mass_mail_id)
        .outerjoin(contact, contact.c.id == delivery.c.contact_id)
        .outerjoin(suppression, suppression.c.address_key == contact.c.address_key)
        .where(rows_of(job.key), delivery.c.seq.between(job.range.first, job.range.last))
        .order_by(delivery.c.seq)
    )


async def _excluded_now(connection: AsyncConnection, job: SliceJob, row: Mapping[str, Any], taken: bool) -> bool:
    """Consent and address are looked at again, at the last moment: exclude the row if they forbid the mail.

    taken: by a row that this transaction is about to claim.
    """
    reason = _refused(row, job.opted_in_only) or (Exclusion.DUPLICATE if taken else None)
    reason = reason or await _twice(connection, job.key, row)
    if reason is None:
        return False
    # what was ever in doubt may have arrived: it is never called excluded
    values = {"state": DeliveryState.UNKNOWN if row["doubted"] else DeliveryState.EXCLUDED, "reason": reason}
    this = and_(rows_of(job.key), delivery.c.seq == row["seq"])
    await connection.execute(update(delivery).where(this).values(values))
    return True


def _refused(row: Mapping[str, Any], opted_in_only: bool) -> Exclusion | None:
    if row["id"] is None:
        return Exclusion.CONTACT_GONE
    if not row["email"]:
        return Exclusion.NO_ADDRESS
    if row["address_key"] is None:
        return Exclusion.INVALID_ADDRESS
    if row["suppressed"]:
        return Exclusion.UNSUBSCRIBED if row["suppressed"] == "unsubscribed" else Exclusion.SUPPRESSED
    return Exclusion.NO_OPT_IN if opted_in_only and not row["opt_in"] else None


async def _twice(connection: AsyncConnection, key: StageKey, row: Mapping[str, Any]) -> Exclusion | None:
    """A contact that changed its address since may have come to one that is in already."""
    if row["address_key"] == row["row_key"]:
        return None
    same = and_(rows_of(key), delivery.c.address_key == row["address_key"], delivery.c.state != DeliveryState.EXCLUDED)
    taken = (await connection.execute(select(exists().where(same)))).scalar_one()
    return Exclusion.DUPLICATE if taken else None


_CLAIM = (
    update(delivery)
    .where(
        delivery.c.mass_mail_id == bindparam("of_mass_mail"),
        delivery.c.stage == bindparam("of_stage"),
        delivery.c.seq == bindparam("of_seq"),
        or_(*(delivery.c.state == state for state in OPEN_STATES)),  # IN can't be executed for many at once
    )
    .values(state=DeliveryState.HANDING_OVER, attempts=delivery.c.attempts + 1, next_try_at=None, reply="")
)


def _claim_values(claimed: Claimed, job: SliceJob, now: datetime, address_key: str) -> dict[str, Any]:
    return {
        "of_mass_mail": claimed.key.mass_mail_id,
        "of_stage": claimed.key.stage,
        "of_seq": claimed.seq,
        "token": claimed.token,
        "epoch": job.epoch,
        "template": job.template,
        "tracked": claimed.tracked,
        "address": claimed.address,
        "address_key": address_key,
        "handed_over_at": now,
        "message_id": claimed.message_id,
        "dated_at": claimed.dated_at,
    }
