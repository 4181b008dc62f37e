"""Loading a stage's recipients into the ledger, and checking that each can be written to."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from typing import Protocol

from temporalio import activity

from activities.checks import Batches, Templates, faulty
from activities.clock import ActivityClock
from activities.heartbeat import beating
from serienmail.domain.delivery import Counts, StageKey
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.loading import Load, Loaded
from serienmail.domain.mass_mail import OnMissing
from serienmail.domain.requirement import Requirement


class Recipients(Protocol):
    """The ledger as loading needs it."""

    async def load(self, load: Load, now: datetime) -> Counts:
        """Write the stage's recipients in one transaction; the same revision again changes nothing."""

    async def faults(self, key: StageKey, requirements: Sequence[Requirement]) -> dict[str, int]:
        """How many of those who are due a mail don't meet which requirement, by its fault."""

    async def exclude_faulty(self, key: StageKey, requirements: Sequence[Requirement], reason: Exclusion) -> None:
        """Exclude those who are due a mail and don't meet a requirement."""

    def pending(self, key: StageKey) -> Batches:
        """The recipients that are due a mail, as (seq, merge fields)."""

    async def exclude(self, key: StageKey, seqs: Sequence[int], reason: Exclusion) -> None:
        """Exclude recipients that are due a mail."""

    async def looks_again(self, load: Load, now: datetime) -> datetime | None:
        """When others may be due; None if nobody can come any more."""

    async def limit(self, key: StageKey) -> None:
        """Exclude the recipients beyond the installation's limit."""

    async def counts(self, key: StageKey) -> Counts:
        """The stage in numbers."""


class Visits(Protocol):
    """What was asked for by pixels and links."""

    async def judge_stage(self, key: StageKey, now: datetime) -> None:
        """Tell persons from machines in all that came for this stage's mails."""


class LoadingActivities:
    """begin_loading, load_recipients."""

    def __init__(self, recipients: Recipients, templates: Templates, visits: Visits) -> None:
        self._recipients = recipients
        self._templates = templates
        self._visits = visits

    @activity.defn
    async def begin_loading(self) -> None:
        """Done as soon as a worker has room; until then a mass mail waits for processing, and says so."""

    @activity.defn
    async def load_recipients(self, load: Load) -> Loaded:
        """Snapshot the recipients of a stage. Safe to repeat; counts only, no personal data.

        Of those who come one by one it adds who is due by now, each time it is called.

        It beats with the number of recipients that are loaded, and then of those that were checked one by one.
        """
        progress = Counter[str]()
        async with beating(progress.total):
            if load.audience:
                await self._visits.judge_stage(load.asked, ActivityClock().now())
            progress["loaded"] = (await self._recipients.load(load, ActivityClock().now())).selected
            requirements = await self._templates.requirements(load.templates, load.account)
            if requirements is None:
                missing = await self._rendered(load, progress)
            else:
                missing = await self._checked_at_once(load, requirements)
            if load.on_missing is OnMissing.EXCLUDE:
                missing = {}
            await self._recipients.limit(load.key)  # last, so that nobody takes the place of somebody who gets none
            later = await self._recipients.looks_again(load, ActivityClock().now())
            return Loaded(await self._recipients.counts(load.key), missing, looks_again=later)

    async def _checked_at_once(self, load: Load, requirements: Sequence[Requirement]) -> dict[str, int]:
        if load.on_missing is OnMissing.EXCLUDE:
            await self._recipients.exclude_faulty(load.key, requirements, Exclusion.PLACEHOLDER_MISSING)
            return {}
        return await self._recipients.faults(load.key, requirements)

    async def _rendered(self, load: Load, progress: Counter[str]) -> dict[str, int]:
        missing = Counter[str]()
        async for found in faulty(self._counted(load.key, progress), self._templates, load.templates, load.account):
            missing.update(chain.from_iterable(found.values()))
            if found and load.on_missing is OnMissing.EXCLUDE:
                await self._recipients.exclude(load.key, sorted(found), Exclusion.PLACEHOLDER_MISSING)
        return dict(missing)

    async def _counted(self, key: StageKey, progress: Counter[str]) -> Batches:
        async for batch in self._recipients.pending(key):
            yield batch
            progress["checked"] += len(batch)
