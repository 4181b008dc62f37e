"""Writing into the CRM what it keeps of a mass mail."""

from datetime import datetime
from typing import Protocol

from temporalio import activity

from activities.clock import ActivityClock
from activities.heartbeat import beating
from serienmail.domain.crm_record import CrmJob


class CrmStore(Protocol):
    """Activities beside the CRM's records."""

    async def keep(self, job: CrmJob, now: datetime) -> int:
        """Write the stage's record, in one transaction; how many activities are new."""


class CrmActivities:
    """keep_in_crm."""

    def __init__(self, store: CrmStore) -> None:
        self._store = store

    @activity.defn
    async def keep_in_crm(self, job: CrmJob) -> int:
        """For all who have got the mail by now; those that are kept already stay as they are."""
        async with beating():
            return await self._store.keep(job, ActivityClock().now())
