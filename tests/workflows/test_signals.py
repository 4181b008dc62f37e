"""Commands as signals: from code while no worker is up, and as people type them into the Temporal UI."""

import asyncio
from typing import Any

import pytest

from serienmail.domain.commands import Edit, Restart, SendAgain, Stop
from serienmail.domain.errors import CommandRefused
from serienmail.domain.states import MassMailState
from tests.workflows.slow_server import SlowServer
from tests.world import DAY, HOUR, OWNER, World, everybody
from workflows.mass_mail import MassMailWorkflow


async def test_stop_edit_and_restart_sent_while_no_worker_is_up_are_obeyed_in_order(world: World) -> None:
    await world.contacts(3)
    order = await world.start("queued")
    await world.until("queued", MassMailState.SCHEDULED)
    await world.rest()
    workflow, due = world.workflow("queued"), order.due and order.due + DAY
    await workflow.signal("stop", Stop(by=OWNER))
    await workflow.signal("edit", Edit(by=OWNER, template="winter@1", due=due))
    await workflow.signal("restart", Restart(by=OWNER))
    await world.work()
    await world.skip("queued", 2 * HOUR)
    status = await world.until("queued", MassMailState.SCHEDULED)
    assert (status.scheduled_at, status.revision, status.order.template) == (due, 2, "winter@1")
    assert (status.last_refusal, world.received()) == ("", [])
    await world.skip("queued", DAY)
    await world.mails.wait("queued")
    assert {mail.message["Subject"] for mail in world.inbox.messages()} == {"Winter"}
    assert world.received() == everybody(3)


async def test_an_edit_and_a_stop_sent_while_no_worker_is_up_stop_it(world: World) -> None:
    await world.contacts(1)
    await world.start("edited")
    await world.until("edited", MassMailState.SCHEDULED)
    await world.rest()
    await world.workflow("edited").signal("edit", Edit(by=OWNER, name="Late autumn"))
    await world.workflow("edited").signal("stop", Stop(by=OWNER))
    await world.work()
    await world.until("edited", MassMailState.STOPPED)
    await world.skip("edited", 2 * HOUR)
    assert (await world.workflow("edited").query(MassMailWorkflow.status)).state is MassMailState.STOPPED
    await world.mails.restart("edited", by=OWNER, now=True)
    assert (await world.mails.wait("edited")).order.name == "Late autumn"
    assert world.received() == everybody(1)


async def test_the_same_three_while_sending_change_what_is_not_out_yet(world: World, server: SlowServer) -> None:
    await world.contacts(200)
    await world.start("sending", due=None, account="slow")
    await server.until_in_hand(5)
    resting = asyncio.create_task(world.rest())
    await asyncio.sleep(0.2)
    server.go_on()
    await resting
    workflow = world.workflow("sending")
    await workflow.signal("stop", Stop(by=OWNER))
    await workflow.signal("edit", Edit(by=OWNER, template="winter@1"))
    await workflow.signal("restart", Restart(by=OWNER))
    await world.work()
    status = await world.mails.wait("sending")
    assert (status.revision, status.last_refusal) == (2, "")
    assert server.recipients() == everybody(200)
    assert b"Subject: Winter" in (server.accepted[-1].original_content or b"")


async def test_a_stop_without_input_is_the_administrators_and_stops(world: World) -> None:
    await world.contacts(3)
    await world.start("from-ui")
    await world.until("from-ui", MassMailState.SCHEDULED)
    await world.workflow("from-ui").signal("stop")
    status = await world.until("from-ui", MassMailState.STOPPED)
    assert status.reason == "stopped by Temporal UI"
    assert (await world.mails.restart("from-ui", by=OWNER)).state is MassMailState.SCHEDULED


async def test_a_stop_that_makes_no_sense_changes_nothing_and_is_recorded(world: World) -> None:
    await world.contacts(1)
    await world.start("garbage")
    await world.until("garbage", MassMailState.SCHEDULED)
    garbage: tuple[Any, ...] = ("please", 7, {"by": 5}, [], {"by": OWNER, "kind": "delete"})
    for given in garbage:
        await world.workflow("garbage").signal("stop", given)
        status = await world.workflow("garbage").query(MassMailWorkflow.status)
        assert status.state is MassMailState.SCHEDULED
        assert "A command (stop) could not be read" in status.last_refusal
        assert 'send an object such as {"by": "your user id"}' in status.last_refusal
    await world.workflow("garbage").signal("stop", args=[{"by": OWNER}, {}])
    status = await world.workflow("garbage").query(MassMailWorkflow.status)
    assert "2 inputs came instead of one" in status.last_refusal
    assert (await world.mails.stop("garbage", by=OWNER)).state is MassMailState.STOPPED  # the run is not blocked
    await world.until("garbage", MassMailState.STOPPED)
    assert "A command (stop) could not be read" in await world.details(world.workflow("garbage"))


async def test_every_other_command_without_input_is_refused_and_recorded(world: World) -> None:
    await world.contacts(1)
    await world.start("empty")
    await world.until("empty", MassMailState.SCHEDULED)
    for command in ("edit", "restart", "delete", "finish", "send_again"):
        await world.workflow("empty").signal(command)
        status = await world.workflow("empty").query(MassMailWorkflow.status)
        assert f"A command ({command.replace('_', '')}) could not be read" in status.last_refusal
        assert (status.state, status.last_command) == (MassMailState.SCHEDULED, "")


async def test_the_stages_own_signal_sent_by_hand_changes_nothing(world: World) -> None:
    await world.contacts(1)
    await world.start("by-hand")
    await world.until("by-hand", MassMailState.SCHEDULED)
    await world.workflow("by-hand").signal("stage_tells")
    await world.workflow("by-hand").signal("stage_tells", {"stage": 9, "reason": "no such stage"})
    await world.workflow("by-hand").signal("stage_tells", "please")
    await world.workflow("by-hand").signal("stage_tells", args=[{"stage": 0}, {"stage": 0}])
    assert (await world.mails.stop("by-hand", by=OWNER)).state is MassMailState.STOPPED


async def test_somebody_elses_command_changes_nothing_and_is_recorded(world: World) -> None:
    await world.contacts(1)
    await world.start("mine")
    await world.until("mine", MassMailState.SCHEDULED)
    await world.workflow("mine").signal("stop", Stop(by="somebody"))
    status = await world.workflow("mine").query(MassMailWorkflow.status)
    assert status.state is MassMailState.SCHEDULED
    sentence = f"Only {OWNER}, who created this mass mail, or an administrator may stop it; ask them."
    assert status.last_refusal.endswith(f"stop by somebody: {sentence}")
    with pytest.raises(CommandRefused, match=sentence):
        await world.mails.stop("mine", by="somebody")


async def test_an_administrator_may_stop_but_neither_edit_nor_restart(world: World) -> None:
    await world.contacts(1)
    await world.start("hers")
    await world.until("hers", MassMailState.SCHEDULED)
    with pytest.raises(CommandRefused, match=f"Only {OWNER}, who created this mass mail, may edit it"):
        await world.mails.edit("hers", Edit(by="root", name="Mine"))
    assert (await world.mails.stop("hers", by="root")).reason == "stopped by root"
    for command in (Restart(by="root"), SendAgain(by="root")):
        with pytest.raises(CommandRefused, match=f"Only {OWNER}"):
            await world.mails.submit("hers", command)
