"""Short steps in the ledger: open and close a stage, plan, count, cancel, look again, settle doubts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from temporalio import activity

from activities.clock import ActivityClock
from serienmail.domain.commands import Resolution
from serienmail.domain.delivery import Counts, Plan, StageKey
from serienmail.domain.doubt import Doubt, Finding
from serienmail.domain.mass_mail import Audience, InDoubt
from serienmail.domain.states import DeliveryState


class StageLedger(Protocol):
    """The ledger as the steering of a stage needs it."""

    async def open_stage(self, key: StageKey, epoch: int, *, at_once: bool = False) -> None:
        """Let this epoch send, and no older one; CommandRefused if there is a newer one. at_once: nobody waits."""

    async def close_stage(self, key: StageKey, epoch: int) -> None:
        """Nothing is claimed from here on."""

    async def plan(
        self,
        key: StageKey,
        slice_size: int | None,
        now: datetime,
        traced: bool = False,
        account: str = "",
        *,
        resend: bool = False,
        out: int = 0,
    ) -> Plan:
        """Settle, then say what is due, and may go on this account; LedgerWentBack if fewer mails are out than before.

        traced: mails in doubt may still be decided. resend: what is not is due once more.
        """

    async def doubts(self, key: StageKey, now: datetime) -> tuple[Doubt, ...]:
        """Rows whose claim can lead to nothing any more, and whose outcome nobody knows."""

    async def settle(self, doubts: Sequence[Doubt], findings: Mapping[str, Finding], now: datetime) -> None:
        """Write what the findings, by Message-ID, prove about these rows."""

    async def resolve(self, key: StageKey, resolution: Resolution, recipients: Sequence[int], now: datetime) -> int:
        """Settle mails in doubt as somebody said; how many, or 0 if one of them isn't in doubt."""

    async def cancel(self, key: StageKey) -> int:
        """Cancel what is still due."""

    async def reopen(
        self,
        key: StageKey,
        opted_in_only: bool,
        *,
        audience: Audience | None = None,
        of: int = 0,
        without_replied: bool = False,
    ) -> int:
        """Make those due again who got none and may be mailed now. audience, of, without_replied: a follow-up's."""

    async def counts(self, key: StageKey) -> Counts:
        """The stage in numbers."""


class Evidence(Protocol):
    """What mail servers themselves recorded about mails."""

    def traces(self, account: str) -> bool:
        """Whether this account's server shows it."""

    async def find(self, account: str, since: Mapping[str, datetime]) -> Mapping[str, Finding]:
        """By Message-ID. since: when each mail was first claimed; nobody can hand it over any more."""


@dataclass(frozen=True, slots=True)
class StageStart:
    """One start of sending a stage. at_once: nobody waits for the own local time any more."""

    key: StageKey
    epoch: int
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """slice_size: rows a slice; None: 1 up to 500 recipients, else 250 to 500. account: which sends.

    in_doubt: what to do about mails whose answer was never seen. out: what an earlier plan said (Plan.out).
    """

    key: StageKey
    slice_size: int | None = None
    account: str = ""
    in_doubt: InDoubt = InDoubt.HOLD
    out: int = 0


@dataclass(frozen=True, slots=True)
class Resolving:
    """What somebody says about mails in doubt; recipients: by seq; none: all in doubt."""

    key: StageKey
    resolution: Resolution
    recipients: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reopening:
    """Send again to those of this stage who got none. audience, of, without_replied: as in Load."""

    key: StageKey
    opted_in_only: bool
    audience: Audience | None = None
    of: int = 0
    without_replied: bool = False


class StageActivities:
    """open_stage, close_stage, plan_slices, resolve_doubts, cancel_stage, reopen_stage, count_stage."""

    def __init__(self, ledger: StageLedger, evidence: Evidence) -> None:
        self._ledger = ledger
        self._evidence = evidence

    @activity.defn
    async def open_stage(self, start: StageStart) -> None:
        """From here on this start sends, and no older one."""
        await self._ledger.open_stage(start.key, start.epoch, at_once=start.at_once)

    @activity.defn
    async def close_stage(self, start: StageStart) -> None:
        """From here on nothing is claimed; mails in hand are finished."""
        await self._ledger.close_stage(start.key, start.epoch)

    @activity.defn
    async def plan_slices(self, request: PlanRequest) -> Plan:
        """At most 200 slices of due rows, else when to look again, else nothing: the stage is over."""
        clock = ActivityClock()
        traced = self._evidence.traces(request.account)
        if traced:
            await self._trace(request, clock)
        resend = request.in_doubt is InDoubt.RESEND
        return await self._ledger.plan(
            request.key, request.slice_size, clock.now(), traced, request.account, resend=resend, out=request.out
        )

    async def _trace(self, request: PlanRequest, clock: ActivityClock) -> None:
        """Settle what the mail server's own record decides. It is read outside of all transactions."""
        if doubts := await self._ledger.doubts(request.key, clock.now()):
            since = {doubt.message_id: doubt.since for doubt in doubts}
            findings = await self._evidence.find(request.account, since)
            await self._ledger.settle(doubts, findings, clock.now())

    @activity.defn
    async def resolve_doubts(self, asked: Resolving) -> int:
        """Settle mails in doubt as somebody said; how many, or 0 if one of them isn't in doubt."""
        return await self._ledger.resolve(asked.key, asked.resolution, asked.recipients, ActivityClock().now())

    @activity.defn
    async def cancel_stage(self, key: StageKey) -> int:
        """Cancel what is still due, for a deleted stage; how many."""
        return await self._ledger.cancel(key)

    @activity.defn
    async def reopen_stage(self, reopening: Reopening) -> int:
        """Make those due again who were excluded, failed or rejected and may be mailed now; how many are due.

        Not how many this try reopened: an earlier one may have done it, and its answer got lost.
        """
        asked = reopening
        await self._ledger.reopen(
            asked.key, asked.opted_in_only, audience=asked.audience, of=asked.of, without_replied=asked.without_replied
        )
        return (await self._ledger.counts(asked.key)).of(DeliveryState.PENDING)

    @activity.defn
    async def count_stage(self, key: StageKey) -> Counts:
        """The stage in numbers, counted in the ledger."""
        return await self._ledger.counts(key)
