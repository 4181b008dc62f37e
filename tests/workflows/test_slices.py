"""Send activities: how many, how they end with their worker, and how a long history is begun anew."""

import asyncio
import shutil
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.states import MassMailState
from tests.mailing.smtp_server import listening
from tests.workflows.slow_server import SlowServer
from tests.world import OWNER, World, an_account, everybody, world_on
from workflows.names import SEARCH_ATTRIBUTES

SUGGESTED_EVENTS = 100


async def activities(workflow: WorkflowHandle[Any, Any]) -> tuple[Counter[str], int]:
    """How often each activity was scheduled, and the number of events."""
    events = (await workflow.fetch_history()).events
    names = (event.activity_task_scheduled_event_attributes.activity_type.name for event in events)
    return Counter(name for name in names if name), len(events)


async def test_up_to_500_recipients_each_is_an_activity_of_its_own(world: World) -> None:
    await world.contacts(20)
    await world.start("few", due=None)
    await world.mails.wait("few")
    scheduled, events = await activities(world.sending("few"))
    assert scheduled["send_slice"] == 20
    assert events < 5 * 20 + 40


async def test_above_500_recipients_an_activity_has_250(world: World) -> None:
    await world.contacts(600)
    await world.start("many", due=None)
    await world.mails.wait("many")
    scheduled, events = await activities(world.sending("many"))
    assert scheduled["send_slice"] == 3
    assert events < 60


async def test_a_slice_whose_workers_died_waits_half_a_minute_at_most_however_often_they_died(world: World) -> None:
    await world.contacts(1)
    await world.start("killed", due=None)
    await world.mails.wait("killed")
    events = (await world.sending("killed").fetch_history()).events
    scheduled = [event.activity_task_scheduled_event_attributes for event in events]
    [slice_] = [found for found in scheduled if found.activity_type.name == "send_slice"]
    assert slice_.retry_policy.maximum_interval.ToTimedelta() == timedelta(seconds=30)
    assert slice_.retry_policy.maximum_attempts == 0


async def test_a_worker_that_is_shut_down_finishes_the_mails_in_hand_and_the_next_goes_on(
    world: World, server: SlowServer
) -> None:
    await world.contacts(12)
    await world.start("deploy", due=None, account="slow")
    await server.until_in_hand(5)
    resting = asyncio.create_task(world.rest())
    await asyncio.sleep(0.2)
    assert not resting.done()
    server.go_on()
    await resting
    states = (await world.states("deploy"))[0]
    assert states.keys() <= {"sent", "pending"}
    assert states["sent"] == len(server.accepted)
    await world.work()
    await world.mails.wait("deploy")
    assert server.recipients() == everybody(12)


@pytest.fixture
async def impatient() -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal server that suggests continue-as-new after few events."""
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=shutil.which("temporal", path=str(Path(sys.executable).parent)),
        dev_server_extra_args=["--dynamic-config-value", f"limit.historyCount.suggestContinueAsNew={SUGGESTED_EVENTS}"],
        data_converter=pydantic_data_converter,
        search_attributes=list(SEARCH_ATTRIBUTES),
    )
    async with environment:
        yield environment


async def test_continued_as_new_stopped_and_restarted_nobody_is_lost_or_gets_it_twice(
    impatient: WorkflowEnvironment, server: SlowServer, tmp_path: Path
) -> None:
    server.answers_first = 210  # a plan has 200 slices: these wait in the second run
    database_url = f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
    async with (
        listening(server) as port,
        world_on(impatient, tmp_path, database_url, accounts={"slow": an_account(port, connections=5)}) as world,
        AsyncExitStack() as stack,
    ):
        stack.callback(server.go_on)  # should anything fail, nothing may wait for it
        await world.contacts(230)
        await world.start("long", due=None, account="slow")
        await server.until_in_hand(5)
        first_run = (await world.sending("long").describe()).raw_description.workflow_execution_info.first_run_id
        first = await world.mails.temporal.get_workflow_handle(world.sending("long").id, run_id=first_run).describe()
        assert first.status is WorkflowExecutionStatus.CONTINUED_AS_NEW
        await world.mails.stop("long", by=OWNER)
        await world.until_closed("long")
        server.go_on()
        await world.until("long", MassMailState.STOPPED)
        assert await world.states("long") == [{"sent": 215, "pending": 15}]
        await world.mails.restart("long", by=OWNER)
        await world.mails.wait("long")
        assert server.recipients() == everybody(230)
