"""Cancel and Terminate as the Temporal UI offers them: nothing is lost, nothing doubled, and repair brings it back."""

import pytest
from temporalio.client import WorkflowFailureError

from serienmail.domain.commands import Phase
from serienmail.domain.states import MassMailState
from tests.workflows.slow_server import SlowServer
from tests.world import DAY, HOUR, OWNER, World, everybody, follow_up
from workflows.mass_mail import CANCELLED, ENDED_BY_HAND


async def ended(world: World, mass_mail_id: str) -> None:
    """Wait until its workflow is closed without a result."""
    with pytest.raises(WorkflowFailureError):
        await world.workflow(mass_mail_id).result()


async def test_cancelled_while_it_waits_it_is_stopped_and_keeps_its_time(world: World) -> None:
    await world.contacts(2)
    order = await world.start("waiting")
    await world.until("waiting", MassMailState.SCHEDULED)
    await world.workflow("waiting").cancel()
    await ended(world, "waiting")
    status = await world.until("waiting", MassMailState.STOPPED)
    assert status.reason == CANCELLED
    assert await world.mails.repair() == ["waiting"]
    assert await world.mails.repair() == []
    restarted = await world.mails.restart("waiting", by=OWNER)
    assert restarted.stages[0].due == order.due
    await world.skip("waiting", HOUR)
    await world.mails.wait("waiting")
    assert world.received() == everybody(2)


async def test_cancelled_while_sending_the_mails_in_hand_are_recorded_first(world: World, server: SlowServer) -> None:
    await world.contacts(12)
    await world.start("sending", due=None, account="slow")
    await server.until_in_hand(5)
    await world.workflow("sending").cancel()
    await world.until("sending", MassMailState.STOPPING)
    await world.until_closed("sending")
    server.go_on()
    await ended(world, "sending")
    await world.until("sending", MassMailState.STOPPED)
    assert await world.states("sending") == [{"sent": 5, "pending": 7}]
    await world.mails.repair()
    await world.mails.restart("sending", by=OWNER)
    await world.mails.wait("sending")
    assert server.recipients() == everybody(12)


async def test_cancelled_while_a_follow_up_is_sent_its_mails_in_hand_are_recorded_first(
    world: World, server: SlowServer
) -> None:
    server.answers_first = 8
    await world.contacts(8)
    await world.start("following", due=None, account="slow", follow_ups=(follow_up(1), follow_up(9)))
    before = await world.until("following", MassMailState.FOLLOWING_UP)
    await world.skip("following", DAY)
    await server.until_in_hand(5)
    await world.workflow("following").cancel()
    await world.until_closed("following", 1)
    server.go_on()
    await ended(world, "following")
    assert await world.states("following") == [{"sent": 8}, {"sent": 5, "pending": 3}, {}]
    await world.mails.repair()
    restarted = await world.mails.restart("following", by=OWNER)
    assert restarted.stages[2].due == before.stages[2].due
    await world.until_phase("following", 1, Phase.OVER)
    await world.skip("following", 9 * DAY)
    await world.mails.wait("following")
    assert await world.states("following") == [{"sent": 8}] * 3


async def test_after_a_terminate_the_slices_that_are_left_claim_nothing_more(world: World, server: SlowServer) -> None:
    await world.contacts(600)
    await world.start("terminated", due=None, account="slow")
    await server.until_in_hand(5)
    await world.workflow("terminated").terminate()
    await world.sending("terminated").terminate()
    assert await world.mails.repair() == ["terminated"]
    await world.until("terminated", MassMailState.STOPPED)
    await world.mails.restart("terminated", by=OWNER)
    await world.until("terminated", MassMailState.SENDING)
    server.go_on()
    await world.mails.wait("terminated")
    assert server.recipients() == everybody(600)
    assert await world.states("terminated") == [{"sent": 600}]


async def test_a_repaired_mass_mail_that_was_partly_sent_keeps_its_selection(world: World, server: SlowServer) -> None:
    await world.contacts(8)
    await world.start("partly", due=None, account="slow")
    await server.until_in_hand(5)
    await world.workflow("partly").terminate()
    server.go_on()
    await world.mails.repair()
    status = await world.until("partly", MassMailState.STOPPED)
    assert status.stages[0].begun
    await world.mails.restart("partly", by=OWNER)
    await world.mails.wait("partly")
    assert server.recipients() == everybody(8)


async def test_the_delivery_alone_cancelled_stops_the_mass_mail(world: World, server: SlowServer) -> None:
    await world.contacts(12)
    await world.start("child", account="slow")
    await world.until("child", MassMailState.SCHEDULED)
    await world.mails.stop("child", by=OWNER)
    await world.mails.restart("child", by=OWNER, now=True)  # the cancel below is not taken for this stop's
    await server.until_in_hand(5)
    await world.sending("child").cancel()
    await world.until_closed("child")
    server.go_on()
    status = await world.until("child", MassMailState.STOPPED)
    assert status.reason == ENDED_BY_HAND
    await world.mails.restart("child", by=OWNER)
    await world.mails.wait("child")
    assert server.recipients() == everybody(12)


async def test_the_delivery_alone_terminated_stops_the_mass_mail(world: World, server: SlowServer) -> None:
    await world.contacts(600)
    await world.start("child", due=None, account="slow")
    await server.until_in_hand(5)
    await world.sending("child").terminate()
    status = await world.until("child", MassMailState.STOPPED)
    assert status.reason == ENDED_BY_HAND
    server.go_on()
    await world.mails.restart("child", by=OWNER)
    await world.mails.wait("child")
    assert server.recipients() == everybody(600)


async def test_a_follow_up_whose_delivery_was_terminated_sends_nothing_more_while_another_goes_on(
    world: World, server: SlowServer
) -> None:
    server.answers_first = 10
    await world.contacts(10)
    await world.start("one-of-two", due=None, account="slow", follow_ups=(follow_up(1), follow_up(1)))
    await world.until("one-of-two", MassMailState.FOLLOWING_UP)
    await world.skip("one-of-two", DAY)
    await server.until_in_hand(5)
    await world.sending("one-of-two", stage=1, epoch=2).terminate()
    await world.delivery_of_follow_up("one-of-two", stage=1, epoch=2).terminate()
    await world.until_phase("one-of-two", 1, Phase.STOPPED)
    waiting = (await world.states("one-of-two"))[1]["pending"]
    server.go_on()
    await world.until_phase("one-of-two", 2, Phase.OVER)
    assert (await world.states("one-of-two"))[1]["pending"] == waiting
    await world.mails.restart("one-of-two", by=OWNER, stage=1)
    await world.mails.wait("one-of-two")
    assert await world.states("one-of-two") == [{"sent": 10}] * 3
