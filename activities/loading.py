"""Loading a stage's recipients into the ledger, and checking that each can be written to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from temporalio import activity

from activities.checks import Batches, Templates, by_placeholder, unfilled
from activities.clock import ActivityClock
from activities.heartbeat import beating
from serienmail.domain.delivery import Counts, StageKey
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.loading import Load, Loaded
from serienmail.domain.mass_mail import OnMissing


class Recipients(Protocol):
    """The ledger as loading needs it."""

    async def load(self, load: Load, now: datetime) -> Counts:
        """Write the stage's recipients in one transaction; the same revision again changes nothing."""

    def pending(self, key: StageKey) -> Batches:
        """The recipients that are due a mail, as (seq, merge fields)."""

    async def exclude(self, key: StageKey, seqs: Sequence[int], reason: Exclusion) -> None:
        """Exclude recipients that are due a mail."""

    async def limit(self, key: StageKey) -> None:
        """Exclude the recipients beyond the installation's limit."""

    async def counts(self, key: StageKey) -> Counts:
        """The stage in numbers."""


class LoadingActivities:
    """load_recipients."""

    def __init__(self, recipients: Recipients, templates: Templates) -> None:
        self._recipients = recipients
        self._templates = templates

    @activity.defn
    async def load_recipients(self, load: Load) -> Loaded:
        """Snapshot the recipients of a stage. Safe to repeat; counts only, no personal data."""
        async with beating():
            await self._recipients.load(load, ActivityClock().now())
            missing = await unfilled(self._recipients.pending(load.key), self._templates, load.templates)
            if missing and load.on_missing is OnMissing.EXCLUDE:
                await self._recipients.exclude(load.key, sorted(missing), Exclusion.PLACEHOLDER_MISSING)
                missing = {}
            await self._recipients.limit(load.key)  # last, so that nobody takes the place of somebody who gets none
            return Loaded(await self._recipients.counts(load.key), by_placeholder(missing))
