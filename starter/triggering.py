"""Starts a workflow for each trigger that a recipient set off; none is lost, and none is started twice."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from temporalio.client import Client
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from serienmail.domain.trigger import Triggered
from serienmail.storage.triggers import TriggerStore
from workflows import names
from workflows.trigger import TriggerWorkflow

PAUSE = 2.0
"""Seconds between two looks, if there was nothing to start."""
BATCH = 200
AT_ONCE = 20
"""Requests to Temporal. More would only wait there, before those of mass mails."""
_AFTER_MASS_MAILS = Priority(priority_key=4)  # 3 is what everything else has
log = logging.getLogger(__name__)


class Triggering:
    """What was set off waits in the database with its event. Started is marked afterwards: whoever ends in between
    starts it again, and Temporal knows its id.
    """

    def __init__(self, client: Client, triggers: TriggerStore) -> None:
        self._client = client
        self._triggers = triggers
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def start_some(self) -> int:
        """Start some of what waits, the oldest first; how many. Those that Temporal took are marked in any case."""
        waiting = await self._triggers.not_started(BATCH)
        tried = await asyncio.gather(*map(self._start, waiting), return_exceptions=True)
        started = [each for each, failed in zip(waiting, tried, strict=True) if failed is None]
        await self._triggers.mark_started(started, datetime.now(UTC))
        if failures := _failures(tried):
            raise failures[0]
        return len(started)

    async def keep_starting(self) -> None:
        """Until it is cancelled, whatever is away for a while."""
        while True:
            started = 0
            try:
                started = await self.start_some()
            except Exception as error:  # Temporal's and each driver's own; all mean: later again
                log.warning("triggers wait: %s", type(error).__name__)
            if not started:
                await asyncio.sleep(PAUSE)

    async def _start(self, set_off: Triggered) -> None:
        async with self._turns:
            try:
                await self._client.start_workflow(
                    TriggerWorkflow.run,
                    set_off,
                    id=names.trigger_workflow_id(set_off),
                    task_queue=names.WORKFLOW_QUEUE,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    search_attributes=_attributes(set_off),
                    static_summary=f"recipient {set_off.seq}: {set_off.trigger}",
                    priority=_AFTER_MASS_MAILS,
                )
            except WorkflowAlreadyStartedError:
                log.info("started before: %s", names.trigger_workflow_id(set_off))


def _attributes(set_off: Triggered) -> TypedSearchAttributes:
    return TypedSearchAttributes([SearchAttributePair(names.MASS_MAIL_ID, set_off.mass_mail_id)])


def _failures(tried: Sequence[BaseException | None]) -> Sequence[BaseException]:
    return [failed for failed in tried if failed is not None]
