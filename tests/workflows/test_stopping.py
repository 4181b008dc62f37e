"""Stopping and restarting, at every stage of a mass mail's life."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

from serienmail.domain.commands import Phase
from serienmail.domain.errors import CommandRefused
from serienmail.domain.states import Folder, MassMailState
from tests.workflows.slow_server import SlowServer
from tests.world import DAY, HOUR, OWNER, World, everybody, follow_up
from workflows.mass_mail import MassMailWorkflow


async def test_stopped_while_it_waits_it_keeps_its_time_over_a_restart(world: World) -> None:
    await world.contacts(3)
    order = await world.start("waits")
    await world.until("waits", MassMailState.SCHEDULED)
    await world.mails.stop("waits", by=OWNER)
    status = await world.until("waits", MassMailState.STOPPED)
    assert status.reason == f"stopped by {OWNER}"
    assert [listed.order.id for listed in await world.mails.list(Folder.STOPPED)] == ["waits"]
    await world.skip("waits", timedelta(minutes=20))
    restarted = await world.mails.restart("waits", by=OWNER)
    assert restarted.stages[0].due == order.due
    await world.skip("waits", HOUR)
    await world.mails.wait("waits")
    assert await world.states("waits") == [{"sent": 3}]


async def test_past_its_time_a_restart_needs_a_new_time_or_now_and_lists_what_was_due(world: World) -> None:
    await world.contacts(3)
    order = await world.start("late")
    await world.until("late", MassMailState.SCHEDULED)
    await world.mails.stop("late", by=OWNER)
    await world.skip("late", 2 * HOUR)
    assert world.received() == []
    with pytest.raises(CommandRefused, match=f"stage 0 was due {order.due:%Y-%m-%d %H:%M}"):
        await world.mails.restart("late", by=OWNER)
    later = await world.now("late") + HOUR
    restarted = await world.mails.restart("late", by=OWNER, due=later)
    assert (restarted.state, restarted.scheduled_at) == (MassMailState.SCHEDULED, later)
    await world.mails.stop("late", by=OWNER)
    await world.mails.restart("late", by=OWNER, now=True)
    await world.mails.wait("late")
    assert await world.states("late") == [{"sent": 3}]


async def test_a_thousand_stopped_in_the_middle_and_restarted_an_hour_later_get_one_mail_each(world: World) -> None:
    await world.contacts(1000)
    await world.start("thousand", due=None)
    await world.until_received(100)
    await world.mails.stop("thousand", by=OWNER)
    await world.until("thousand", MassMailState.STOPPED)
    out = len(world.received())
    assert 100 <= out < 1000
    assert await world.states("thousand") == [{"sent": out, "pending": 1000 - out}]
    await world.skip("thousand", HOUR)
    assert len(world.received()) == out
    await world.mails.restart("thousand", by=OWNER)
    await world.mails.wait("thousand")
    assert world.received() == everybody(1000)
    assert await world.states("thousand") == [{"sent": 1000}]


async def test_stopping_is_shown_until_the_mails_in_hand_have_their_answer(world: World, server: SlowServer) -> None:
    await world.contacts(12)
    await world.start("in-hand", due=None, account="slow")
    await server.until_in_hand(5)
    assert (await world.mails.stop("in-hand", by=OWNER)).state is MassMailState.STOPPING
    await world.until_closed("in-hand")
    assert await world.states("in-hand") == [{"handing_over": 5, "pending": 7}]
    server.go_on()
    await world.until("in-hand", MassMailState.STOPPED)
    assert await world.states("in-hand") == [{"sent": 5, "pending": 7}]
    await world.mails.restart("in-hand", by=OWNER)
    await world.mails.wait("in-hand")
    assert server.recipients() == everybody(12)


async def test_a_stop_and_a_restart_while_mails_are_in_hand_lose_and_double_nothing(
    world: World, server: SlowServer
) -> None:
    await world.contacts(12)
    await world.start("both", due=None, account="slow")
    await server.until_in_hand(5)
    await world.mails.stop("both", by=OWNER)
    await world.mails.restart("both", by=OWNER)
    server.go_on()
    await world.mails.wait("both")
    assert server.recipients() == everybody(12)


async def test_a_stop_while_recipients_are_read_is_not_lost_though_the_reading_is_finished(world: World) -> None:
    await world.contacts(3)
    await world.rest()
    await world.start("reading", due=None)
    async with world.services.database.write():  # the reading waits for this lock, and can't be cancelled there
        await world.work()
        await until_asked(world, "reading", 0, Phase.LOADING)
        assert (await world.mails.stop("reading", by=OWNER)).state is MassMailState.STOPPING
    await world.until("reading", MassMailState.STOPPED)
    assert await world.states("reading") == [{"pending": 3}]
    await world.mails.restart("reading", by=OWNER, now=True)
    await world.mails.wait("reading")
    assert world.received() == everybody(3)


async def test_a_stop_while_a_follow_up_chooses_its_audience_is_not_lost(world: World) -> None:
    await world.contacts(3)
    await world.start("choosing", due=None, follow_ups=(follow_up(1),))
    await world.until("choosing", MassMailState.FOLLOWING_UP)
    async with world.services.database.write():
        await world.skip("choosing", DAY)
        await until_asked(world, "choosing", 1, Phase.SENDING)
        await until_running(world.sending("choosing", stage=1, epoch=2))
        await world.mails.stop("choosing", by=OWNER)
    await world.until("choosing", MassMailState.STOPPED)
    assert await world.states("choosing") == [{"sent": 3}, {"pending": 3}]
    await world.mails.restart("choosing", by=OWNER)
    await world.mails.wait("choosing")
    assert await world.states("choosing") == [{"sent": 3}, {"sent": 3}]


async def until_asked(world: World, mass_mail_id: str, stage: int, phase: Phase) -> None:
    """Wait until the workflow itself says so; lists can't while the database is locked."""
    async with asyncio.timeout(20):
        while True:
            status = await world.workflow(mass_mail_id).query(MassMailWorkflow.status)
            if status.stages[stage].phase is phase:
                return
            await asyncio.sleep(0.05)


async def until_running(workflow: WorkflowHandle[Any, Any]) -> None:
    """Wait until it is there and one of its activities runs."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(RPCError):  # its parent is about to start it
                if (await workflow.describe()).raw_description.pending_activities:
                    return
            await asyncio.sleep(0.05)


async def test_stopped_between_follow_ups_nothing_goes_out_until_the_restart(world: World) -> None:
    await world.contacts(2)
    await world.start("between", due=None, follow_ups=(follow_up(1), follow_up(5)))
    await world.until("between", MassMailState.FOLLOWING_UP)
    await world.skip("between", 2 * DAY)
    await world.until_phase("between", 1, Phase.OVER)
    await world.mails.stop("between", by=OWNER)
    await world.until("between", MassMailState.STOPPED)
    await world.skip("between", 2 * DAY)
    await world.mails.restart("between", by=OWNER)
    await world.skip("between", 2 * DAY)
    await world.mails.wait("between")
    assert await world.states("between") == [{"sent": 2}] * 3


async def test_one_follow_up_is_stopped_alone_while_the_other_goes_on(world: World) -> None:
    await world.contacts(2)
    await world.start("alone", due=None, follow_ups=(follow_up(3), follow_up(1)))
    await world.until("alone", MassMailState.FOLLOWING_UP)
    await world.mails.stop("alone", by=OWNER, stage=2)
    await world.skip("alone", 4 * DAY)
    status = await world.until("alone", MassMailState.STOPPED)
    assert [stage.phase for stage in status.stages] == [Phase.OVER, Phase.OVER, Phase.STOPPED]
    with pytest.raises(CommandRefused, match="stage 2 was due"):
        await world.mails.restart("alone", by=OWNER, stage=2)
    await world.mails.restart("alone", by=OWNER, stage=2, now=True)
    await world.mails.wait("alone")
    assert await world.states("alone") == [{"sent": 2}] * 3
