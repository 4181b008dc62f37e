"""Living through a mass mail's weeks in seconds: skip to each due time, wait for its mails, let recipients read."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from temporalio.client import WorkflowHandle

from serienmail.domain.delivery import StageKey
from serienmail.domain.judging import BURST
from serienmail.domain.states import MassMailState
from serienmail.domain.status import Status
from starter.environment import Embedded
from starter.inbox import ReceivedMail
from workflows.mass_mail import MassMailWorkflow
from workflows.names import mass_mail_workflow_id

POLL = 0.2
"""Seconds between two looks at a mass mail that is at work."""
_WAITING = (MassMailState.SCHEDULED, MassMailState.FOLLOWING_UP)
_RESTING = (
    MassMailState.STOPPED,
    MassMailState.INCOMPLETE,
    MassMailState.INCOMPLETE_WITH_ERRORS,
    MassMailState.FINISHED,
    MassMailState.FINISHED_AUTOMATICALLY,
    MassMailState.DELETED,
)
Look = Callable[[], Awaitable[None]]


class Reads(Protocol):
    """Recipients, who look at what came."""

    async def read(self, mails: Iterable[ReceivedMail]) -> None:
        """Look at what came since the last time."""


class Weeks:
    """One mass mail in an embedded environment, and its clock."""

    def __init__(self, environment: Embedded, mass_mail_id: str, reader: Reads, look: Look) -> None:
        self._environment = environment
        self._reader = reader
        self._look = look  # called while it works, to move progress bars
        self._handle: WorkflowHandle[MassMailWorkflow, Status] = environment.temporal.client.get_workflow_handle_for(
            MassMailWorkflow.run, mass_mail_workflow_id(mass_mail_id)
        )

    async def settled(self) -> Status:
        """Wait until it has nothing to do at the moment; how it is then."""
        while True:
            status = await self._handle.query(MassMailWorkflow.status)
            await self._look()
            if status.state in _RESTING or _only_waits(status):
                return status
            await asyncio.sleep(POLL)

    async def live_through(self) -> Status:
        """Skip from one due time to the next until nothing is due any more; recipients read in between."""
        while True:
            status = await self.settled()
            await self._reader.read(self._environment.inbox.messages())
            await self._judge(status)
            if status.scheduled_at is None:
                return status
            await self._skip_to_the_next(status)

    async def _judge(self, status: Status) -> None:
        """What was read counts at once: these readers are known to be no machines that come again."""
        for stage in status.stages:
            key = StageKey(status.order.id, stage.number)
            await self._environment.mails.services.visits.judge_stage(key, datetime.now(UTC) + BURST)

    async def _skip_to_the_next(self, status: Status) -> None:
        server, due = self._environment.temporal, status.scheduled_at
        if due is not None:
            wait = max(due - await server.get_current_time(self._handle), timedelta())
            await server.fast_forward(self._handle, wait + timedelta(seconds=1))
        while True:  # until what was due has begun
            if (await self._handle.query(MassMailWorkflow.status)).scheduled_at != due:
                return
            await asyncio.sleep(POLL)


def _only_waits(status: Status) -> bool:
    at_work = any(stage.phase.is_sending for stage in status.stages)
    return status.state in _WAITING and status.scheduled_at is not None and not at_work
