"""What no worker has taken up waits for processing, and says so: before recipients are read, and before it is sent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from temporalio.worker import Worker

from serienmail.domain.commands import Edit
from serienmail.domain.criteria import where
from serienmail.domain.states import MassMailState
from serienmail.domain.status import Status
from tests.workflows.slow_server import SlowServer
from tests.world import OWNER, World, everybody
from worker import build_workers
from workflows.mass_mail import MassMailWorkflow
from workflows.names import WORKFLOW_QUEUE


@asynccontextmanager
async def working(*workers: Worker) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for worker in workers:
            await stack.enter_async_context(worker)
        yield


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.05)


async def opening_waits(world: World, mass_mail_id: str) -> bool:
    """Whether Temporal has the opening of its stage in a queue, and nobody took it."""
    pending = (await world.sending(mass_mail_id).describe()).raw_description.pending_activities
    return [each.activity_type.name for each in pending if not each.HasField("last_started_time")] == ["open_stage"]


async def begun(world: World, mass_mail_id: str) -> bool:
    return (await told(world, mass_mail_id)).stages[0].begun


async def told(world: World, mass_mail_id: str) -> Status:
    """What the workflow itself says, whatever lists show."""
    return await world.workflow(mass_mail_id).query(MassMailWorkflow.status)


async def test_before_its_recipients_are_read(world: World) -> None:
    await world.contacts(2)
    await world.rest()
    await world.start("unread")
    workflows_alone = Worker(world.mails.temporal, task_queue=WORKFLOW_QUEUE, workflows=[MassMailWorkflow])
    async with working(workflows_alone):
        assert (await told(world, "unread")).state is MassMailState.WAITING_FOR_PROCESSING
        assert "**waiting for processing**" in await world.details(world.workflow("unread"))
        assert (await world.mails.status("unread")).status.state is MassMailState.WAITING_FOR_PROCESSING
    await world.work()
    await world.until("unread", MassMailState.SCHEDULED)


async def test_before_it_is_sent_until_a_worker_that_sends_has_room(world: World) -> None:
    await world.contacts(2)
    await world.rest()
    client, services = world.mails.temporal, world.services
    async with working(*build_workers(client, services, "workflows")):
        await world.start("unsent", due=None)
        await world.until("unsent", MassMailState.WAITING_FOR_PROCESSING)
        await until(lambda: begun(world, "unsent"))
        await until(lambda: opening_waits(world, "unsent"))
        status = await world.until("unsent", MassMailState.WAITING_FOR_PROCESSING)
        assert (status.stages[0].begun, status.stages[0].words) == (True, "waiting for processing")
        assert await world.states("unsent") == [{"pending": 2}]
        assert "**waiting for processing**, due" in await world.details(world.workflow("unsent"))
        async with working(*build_workers(client, services, "send")):
            await world.until("unsent", MassMailState.FINISHED_AUTOMATICALLY)
    assert world.received() == everybody(2)


async def test_while_the_workers_that_send_are_busy_with_another(
    world: World, server: SlowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.SLICES_AT_ONCE", 1)
    await world.contacts(2)
    await world.rest()
    await world.work()
    await world.start("first", due=None, account="slow")
    await server.until_in_hand(1)
    await world.start("second", due=None)
    await until(lambda: begun(world, "second"))
    await until(lambda: opening_waits(world, "second"))
    assert (await world.mails.status("first")).status.state is MassMailState.SENDING
    assert (await told(world, "second")).state is MassMailState.WAITING_FOR_PROCESSING
    server.go_on()
    for mass_mail_id in ("first", "second"):
        assert (await world.mails.wait(mass_mail_id)).state is MassMailState.FINISHED_AUTOMATICALLY


async def test_it_is_stopped_at_once_while_it_waits_for_processing(world: World) -> None:
    await world.contacts(2)
    await world.rest()
    async with working(*build_workers(world.mails.temporal, world.services, "workflows")):
        await world.start("unsent", due=None)
        await until(lambda: begun(world, "unsent"))
        await world.mails.stop("unsent", by=OWNER)
        await world.until("unsent", MassMailState.STOPPED)
    await world.work()
    await world.mails.restart("unsent", by=OWNER, now=True)
    await world.mails.wait("unsent")
    assert world.received() == everybody(2)


async def reading(world: World) -> bool:
    return (await told(world, "reading")).state is MassMailState.LOADING


async def test_it_can_be_edited_while_its_recipients_are_read(world: World) -> None:
    await world.contacts(2)
    await world.contacts(1, city="Ulm")
    await world.rest()
    await world.start("reading")
    ulm = await world.mails.select(where("city").eq("Ulm"))
    async with world.services.database.write():  # the reading waits for this lock
        await world.work()
        await until(lambda: reading(world))
        edited = await world.mails.edit("reading", Edit(by=OWNER, name="Winter", selection=ulm))
        assert (edited.state, edited.order.name) == (MassMailState.LOADING, "Winter")
    await world.until("reading", MassMailState.SCHEDULED)
    assert await world.states("reading") == [{"pending": 1}]
