"""Rows of the ledger that somebody wants to hand over, as they were read."""

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Row, Select, select

from serienmail.domain.delivery import CLAIM_TO_DOT, SliceJob
from serienmail.domain.shaping import Wish
from serienmail.storage.rows import rows_of, suppression_of
from serienmail.storage.tables import contact, delivery, mass_mail

_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS counts its sleep in the latter


def hand_over_by() -> float:
    """Until when what is claimed now must be handed over: seconds on CLOCK_BOOTTIME, which doesn't stand still."""
    return time.clock_gettime(_SINCE_BOOT) + CLAIM_TO_DOT.total_seconds()


@dataclass(frozen=True, slots=True)
class Wanted:
    """One caller's wish to claim a row. row: of ``claimable``, read some time ago; provider: of its address."""

    job: SliceJob
    row: Row[Any]
    message_id: str
    provider: str
    now: datetime
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    hand_over_by: float = field(default_factory=hand_over_by)

    @property
    def wish(self) -> Wish:
        """As shaping sees it."""
        return Wish(self.job.key, self.job.account, self.provider, self.now)


def claimable(job: SliceJob) -> Select[Any]:
    """The slice's rows with what their mails need: the contact as it is now, and its suppression."""
    own = [delivery.c[name] for name in ("seq", "token", "attempts", "message_id", "dated_at", "doubted")]
    own += [mass_mail.c.number, delivery.c.address_key.label("row_key")]
    own.append(suppression_of(contact.c.address_key, mass_mail.c.topic).label("suppressed"))
    return (
        select(*own, contact)
        .select_from(delivery)
        .join(mass_mail, mass_mail.c.id == delivery.c.mass_mail_id)
        .outerjoin(contact, contact.c.id == delivery.c.contact_id)
        .where(rows_of(job.key), delivery.c.seq.between(job.range.first, job.range.last))
        .order_by(delivery.c.seq)
    )


def by_slice(wanted: Iterable[Wanted]) -> list[tuple[SliceJob, list[Wanted]]]:
    """In one order for everybody, else PostgreSQL finds deadlocks."""
    in_order = sorted(wanted, key=lambda each: _lock_order(each.job))
    return [(job, list(same)) for job, same in groupby(in_order, key=lambda each: each.job)]


def _lock_order(job: SliceJob) -> tuple[str, int, int, int]:
    return job.key.mass_mail_id, job.key.stage, job.range.first, job.epoch
