"""Short steps in the ledger: open and close a stage, plan, count, cancel, look again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from temporalio import activity

from activities.clock import ActivityClock
from serienmail.domain.delivery import Counts, Plan, StageKey


class StageLedger(Protocol):
    """The ledger as the steering of a stage needs it."""

    async def open_stage(self, key: StageKey, epoch: int) -> None:
        """Let this epoch send, and no older one; CommandRefused if there is a newer one."""

    async def close_stage(self, key: StageKey, epoch: int) -> None:
        """Nothing is claimed from here on."""

    async def plan(self, key: StageKey, slice_size: int | None, now: datetime) -> Plan:
        """Settle, then say what is due."""

    async def cancel(self, key: StageKey) -> int:
        """Cancel what is still due."""

    async def reopen(self, key: StageKey, opted_in_only: bool) -> int:
        """Make those due again who got none and may be mailed now."""

    async def counts(self, key: StageKey) -> Counts:
        """The stage in numbers."""


@dataclass(frozen=True, slots=True)
class StageStart:
    """One start of sending a stage."""

    key: StageKey
    epoch: int


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """slice_size: rows a slice; None: 1 up to 500 recipients, else 250."""

    key: StageKey
    slice_size: int | None = None


@dataclass(frozen=True, slots=True)
class Reopening:
    """Send again to those of this stage who got none."""

    key: StageKey
    opted_in_only: bool


class StageActivities:
    """open_stage, close_stage, plan_slices, cancel_stage, reopen_stage, count_stage."""

    def __init__(self, ledger: StageLedger) -> None:
        self._ledger = ledger

    @activity.defn
    async def open_stage(self, start: StageStart) -> None:
        """From here on this start sends, and no older one."""
        await self._ledger.open_stage(start.key, start.epoch)

    @activity.defn
    async def close_stage(self, start: StageStart) -> None:
        """From here on nothing is claimed; mails in hand are finished."""
        await self._ledger.close_stage(start.key, start.epoch)

    @activity.defn
    async def plan_slices(self, request: PlanRequest) -> Plan:
        """At most 200 slices of due rows, else when to look again, else nothing: the stage is over."""
        return await self._ledger.plan(request.key, request.slice_size, ActivityClock().now())

    @activity.defn
    async def cancel_stage(self, key: StageKey) -> int:
        """Cancel what is still due, for a deleted stage; how many."""
        return await self._ledger.cancel(key)

    @activity.defn
    async def reopen_stage(self, reopening: Reopening) -> int:
        """Make those due again who were excluded, failed or rejected and may be mailed now; how many."""
        return await self._ledger.reopen(reopening.key, reopening.opted_in_only)

    @activity.defn
    async def count_stage(self, key: StageKey) -> Counts:
        """The stage in numbers, counted in the ledger."""
        return await self._ledger.counts(key)
