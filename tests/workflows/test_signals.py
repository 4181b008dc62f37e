"""Commands as signals: from code while no worker is up, and as people type them into the Temporal UI."""

import asyncio
from typing import Any

import pytest

from serienmail.domain.commands import Edit, Restart, SendAgain, Stop
from serienmail.domain.errors import CommandRefused
from serienmail.domain.states import MassMailState
from tests.workflows.slow_server import SlowServer
from tests.world import DAY, HOUR, OWNER, World, everybody


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


async def test_the_same_three_while_sending_change_what_is_not_out_yet(world: World, server: SlowServer) -> None:
    await world.contacts(12)
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
    assert server.recipients() == everybody(12)
    assert b"Subject: Winter" in (server.accepted[-1].original_content or b"")


async def test_a_stop_without_input_is_the_administrators_and_stops(world: World) -> None:
    await world.contacts(3)
    await world.start("from-ui")
    await world.until("from-ui", MassMailState.SCHEDULED)
    await world.workflow("from-ui").signal("stop")
    status = await world.until("from-ui", MassMailState.STOPPED)
    assert status.reason == "stopped by Temporal UI"
    assert (await world.mails.restart("from-ui", by=OWNER)).state is MassMailState.SCHEDULED


@pytest.mark.parametrize("given", ["please", 7, {"by": 5}, [], {"by": OWNER, "kind": "delete"}])
async def test_a_stop_that_makes_no_sense_changes_nothing_and_is_recorded(world: World, given: Any) -> None:
    await world.contacts(1)
    await world.start("garbage")
    await world.until("garbage", MassMailState.SCHEDULED)
    await world.workflow("garbage").signal("stop", given)
    status = await world.mails.stop("garbage", by=OWNER)  # the run is not blocked
    assert "A command (stop) could not be read" in status.last_refusal
    assert 'send an object such as {"by": "your user id"}' in status.last_refusal
    assert status.last_command.endswith(f"stop by {OWNER}")


@pytest.mark.parametrize("command", ["edit", "restart", "delete", "finish", "send_again"])
async def test_every_other_command_without_input_is_refused_and_recorded(world: World, command: str) -> None:
    await world.contacts(1)
    await world.start("empty")
    before = await world.until("empty", MassMailState.SCHEDULED)
    await world.workflow("empty").signal(command)
    status: Any = await world.workflow("empty").query("status")
    assert status["order"]["id"] == before.order.id
    assert f"A command ({command}) could not be read, see input" in status["last_refusal"].replace("sendagain", command)
    assert (status["state"], status["last_command"]) == ("scheduled", "")


async def test_the_stages_own_signal_sent_by_hand_changes_nothing(world: World) -> None:
    await world.contacts(1)
    await world.start("by-hand")
    await world.until("by-hand", MassMailState.SCHEDULED)
    await world.workflow("by-hand").signal("stage_waits")
    await world.workflow("by-hand").signal("stage_waits", {"stage": 9, "reason": "no such stage"})
    await world.workflow("by-hand").signal("stage_waits", "please")
    assert (await world.mails.stop("by-hand", by=OWNER)).state is MassMailState.STOPPED


async def test_somebody_elses_command_changes_nothing_and_is_recorded(world: World) -> None:
    await world.contacts(1)
    await world.start("mine")
    await world.until("mine", MassMailState.SCHEDULED)
    await world.workflow("mine").signal("stop", Stop(by="somebody"))
    status: Any = await world.workflow("mine").query("status")
    assert status["state"] == "scheduled"
    sentence = f"Only {OWNER}, who created this mass mail, or an administrator may stop it; ask them."
    assert status["last_refusal"].endswith(f"stop by somebody: {sentence}")
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
