"""How a mass mail ends: by itself, by hand, sent again to the rest, or deleted."""

import asyncio

import pytest

from serienmail.domain.commands import Phase
from serienmail.domain.errors import CommandRefused
from serienmail.domain.states import Folder, MassMailState
from tests.builders import a_contact
from tests.workflows.slow_server import SlowServer
from tests.world import DAY, HOUR, OWNER, World, everybody, follow_up

TWO_OF_THREE = [a_contact(1), a_contact(2), a_contact(3, opt_in=False)]


async def test_without_everybodys_opt_in_it_is_incomplete_until_somebody_finishes_it(world: World) -> None:
    await world.services.contacts.save(TWO_OF_THREE)
    await world.start("by-hand", due=None)
    status = await world.until("by-hand", MassMailState.INCOMPLETE)
    assert status.reason == "1 no opt-in for mass mail"
    await world.mails.finish("by-hand", by=OWNER)
    finished = await world.mails.wait("by-hand")
    assert (finished.state, finished.reason) == (MassMailState.FINISHED, "1 no opt-in for mass mail")
    with pytest.raises(CommandRefused, match="This mass mail is finished; it can't be changed any more"):
        await world.mails.restart("by-hand", by=OWNER)


async def test_sent_again_it_goes_only_to_who_got_none_and_may_get_it_now(world: World) -> None:
    await world.services.contacts.save([*TWO_OF_THREE, a_contact(4, opt_in=False)])
    await world.start("again", due=None)
    await world.until("again", MassMailState.INCOMPLETE)
    await world.services.contacts.save([a_contact(3)])
    await world.mails.send_again("again", by=OWNER)
    await world.until_received(3)
    status = await world.until("again", MassMailState.INCOMPLETE)
    assert (world.received(), status.reason) == (everybody(3), "1 no opt-in for mass mail")
    await world.services.contacts.save([a_contact(4)])
    await world.mails.send_again("again", by=OWNER)
    assert (await world.mails.wait("again")).state is MassMailState.FINISHED_AUTOMATICALLY
    assert world.received() == everybody(4)


async def test_refused_mails_leave_it_incomplete_with_errors_until_they_are_sent_again(
    world: World, server: SlowServer
) -> None:
    server.go_on()
    server.answers["rcpt"] = "554 5.3.0 not today"
    await world.contacts(2)
    await world.start("refused", due=None, account="slow")
    status = await world.until("refused", MassMailState.INCOMPLETE_WITH_ERRORS)
    assert status.reason == "2 rejected by their servers"
    del server.answers["rcpt"]
    await world.mails.send_again("refused", by=OWNER)
    assert (await world.mails.wait("refused")).state is MassMailState.FINISHED_AUTOMATICALLY
    assert server.recipients() == everybody(2)


async def test_sent_again_it_goes_to_those_of_the_follow_ups_too_who_got_none(world: World, server: SlowServer) -> None:
    server.go_on()
    await world.contacts(2)
    await world.start("again", due=None, account="slow", follow_ups=(follow_up(1), follow_up(2)))
    await world.until("again", MassMailState.FOLLOWING_UP)
    server.answers["rcpt"] = "554 5.3.0 not today"
    await world.skip("again", DAY)
    await world.until_phase("again", 1, Phase.OVER)
    del server.answers["rcpt"]
    await world.skip("again", DAY)
    status = await world.until("again", MassMailState.INCOMPLETE_WITH_ERRORS)
    assert status.reason == "2 rejected by their servers"
    await world.mails.send_again("again", by=OWNER)
    assert (await world.mails.wait("again")).state is MassMailState.FINISHED_AUTOMATICALLY
    assert await world.states("again") == [{"sent": 2}] * 3


async def test_two_at_once_who_send_again_send_it_once(world: World) -> None:
    await world.services.contacts.save(TWO_OF_THREE)
    await world.start("twice", due=None)
    await world.until("twice", MassMailState.INCOMPLETE)
    await world.services.contacts.save([a_contact(3)])
    both = (world.mails.send_again("twice", by=OWNER) for _ in range(2))
    answers = await asyncio.gather(*both, return_exceptions=True)
    assert [type(answer) for answer in answers if isinstance(answer, Exception)] == [CommandRefused]
    await world.mails.wait("twice")
    assert world.received() == everybody(3)


async def test_a_command_s_answer_tells_what_came_of_it(world: World) -> None:
    await world.services.contacts.save(TWO_OF_THREE)
    await world.start("told")
    await world.until("told", MassMailState.SCHEDULED)
    told = [await world.mails.stop("told", by=OWNER), await world.mails.restart("told", by=OWNER, now=True)]
    await world.until("told", MassMailState.INCOMPLETE)
    told.append(await world.mails.finish("told", by=OWNER))
    await world.start("deleted")
    await world.until("deleted", MassMailState.SCHEDULED)
    told.append(await world.mails.delete("deleted", by=OWNER))
    stopped, restarted, finished, deleted = (status.state for status in told)
    assert (stopped, finished, deleted) == (MassMailState.STOPPED, MassMailState.FINISHED, MassMailState.DELETED)
    assert restarted in (  # it is read again, since it is due
        MassMailState.WAITING_FOR_PROCESSING, MassMailState.LOADING, MassMailState.SENDING,
    )  # fmt: skip


async def test_deleted_while_it_is_scheduled_nobody_gets_anything(world: World) -> None:
    await world.contacts(2)
    await world.start("scheduled", follow_ups=(follow_up(1),))
    await world.until("scheduled", MassMailState.SCHEDULED)
    await world.mails.delete("scheduled", by=OWNER)
    assert (await world.mails.wait("scheduled")).state is MassMailState.DELETED
    assert await world.states("scheduled") == [{"cancelled": 2}, {}]
    assert world.received() == []
    assert [listed.order.id for listed in await world.mails.list(Folder.DELETED)] == ["scheduled"]


async def test_deleted_while_it_is_sent_the_mails_in_hand_are_the_last(world: World, server: SlowServer) -> None:
    await world.contacts(12)
    await world.start("sending", due=None, account="slow", follow_ups=(follow_up(1),))
    await server.until_in_hand(5)
    await world.mails.delete("sending", by=OWNER)
    await world.until_closed("sending")
    server.go_on()
    assert (await world.mails.wait("sending")).state is MassMailState.DELETED
    assert await world.states("sending") == [{"sent": 5, "cancelled": 7}, {}]


async def test_a_follow_up_is_deleted_alone(world: World) -> None:
    await world.contacts(2)
    await world.start("one-less", due=None, follow_ups=(follow_up(1), follow_up(2)))
    await world.until("one-less", MassMailState.FOLLOWING_UP)
    await world.mails.delete("one-less", by=OWNER, stage=1)
    await world.until_phase("one-less", 1, Phase.DELETED)
    await world.skip("one-less", 3 * DAY)
    assert (await world.mails.wait("one-less")).state is MassMailState.FINISHED_AUTOMATICALLY
    assert await world.states("one-less") == [{"sent": 2}, {}, {"sent": 2}]


async def test_stopped_and_then_deleted_its_rows_are_cancelled(world: World) -> None:
    await world.contacts(2)
    await world.start("stopped")
    await world.until("stopped", MassMailState.SCHEDULED)
    await world.mails.stop("stopped", by=OWNER)
    await world.mails.delete("stopped", by="root")
    await world.skip("stopped", 2 * HOUR)
    assert (await world.mails.wait("stopped")).state is MassMailState.DELETED
    assert await world.states("stopped") == [{"cancelled": 2}]


async def test_an_incomplete_or_finished_one_is_deleted_and_its_ledger_stays(world: World) -> None:
    await world.services.contacts.save(TWO_OF_THREE)
    await world.start("incomplete", due=None)
    await world.until("incomplete", MassMailState.INCOMPLETE)
    await world.mails.delete("incomplete", by=OWNER)
    assert (await world.mails.wait("incomplete")).state is MassMailState.DELETED
    assert await world.states("incomplete") == [{"sent": 2, "excluded": 1}]
