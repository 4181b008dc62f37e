"""Keeping what a workflow says about itself, for lists and folders."""

from datetime import datetime
from typing import Protocol

from temporalio import activity

from activities.clock import ActivityClock
from serienmail.domain.mass_mail import MassMail
from serienmail.domain.status import Status


class Records(Protocol):
    """Where lists and folders read."""

    async def create(self, order: MassMail, now: datetime) -> None:
        """Keep a new order; AlreadyExists if another one has its id. The same one again changes nothing."""

    async def record(self, said: Status) -> None:
        """Keep it, unless a newer version is kept already."""


class RecordActivities:
    """create_order, record_status."""

    def __init__(self, records: Records) -> None:
        self._records = records

    @activity.defn
    async def create_order(self, order: MassMail) -> None:
        """Keep an order that a schedule made."""
        await self._records.create(order, ActivityClock().now())

    @activity.defn
    async def record_status(self, said: Status) -> None:
        """Keep the state, the order and the next due time."""
        await self._records.record(said)
