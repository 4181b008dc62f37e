"""Editing a mass mail that waits, and follow-ups while they aren't out."""

from dataclasses import replace
from datetime import timedelta

import pytest

from serienmail.domain.commands import Edit, Phase
from serienmail.domain.criteria import Comparison, Operator
from serienmail.domain.errors import CommandRefused
from serienmail.domain.mass_mail import Audience
from serienmail.domain.states import MassMailState
from tests.builders import a_contact
from tests.workflows.slow_server import SlowServer
from tests.world import DAY, HOUR, OWNER, World, everybody, follow_up
from workflows.mass_mail import MassMailWorkflow


def subjects(world: World) -> list[str]:
    return [str(mail.message["Subject"]) for mail in world.inbox.messages()]


async def test_a_new_time_moves_the_timer(world: World) -> None:
    await world.contacts(2)
    order = await world.start("moved")
    await world.until("moved", MassMailState.SCHEDULED)
    later = order.due and order.due + 2 * HOUR
    assert (await world.mails.edit("moved", Edit(by=OWNER, due=later))).scheduled_at == later
    await world.skip("moved", 2 * HOUR)
    assert world.received() == []
    await world.skip("moved", HOUR)
    await world.mails.wait("moved")
    assert world.received() == everybody(2)


async def test_another_template_and_another_selection_are_read_again_before_it_goes_out(world: World) -> None:
    await world.services.contacts.save([a_contact(n, city="Berlin" if n < 3 else "Bonn") for n in range(1, 6)])
    await world.start("again")
    await world.until("again", MassMailState.SCHEDULED)
    assert await world.states("again") == [{"pending": 5}]
    berlin = await world.mails.select(Comparison("city", Operator.EQ, "Berlin"))
    await world.mails.edit("again", Edit(by=OWNER, selection=berlin, template="winter"))
    await world.skip("again", HOUR)
    await world.mails.wait("again")
    assert world.received() == everybody(2)
    assert subjects(world) == ["Winter", "Winter"]


async def test_an_edit_shortly_before_its_time_stops_it(world: World) -> None:
    await world.contacts(1)
    order = await world.start("hasty")
    await world.until("hasty", MassMailState.SCHEDULED)
    await world.skip("hasty", timedelta(minutes=50))
    status = await world.mails.edit("hasty", Edit(by=OWNER, name="Late autumn"))
    assert (status.state, status.order.name) == (MassMailState.STOPPED, "Late autumn")
    assert status.reason == "edited shortly before its time; restart it when it is right"
    await world.mails.restart("hasty", by=OWNER)
    await world.skip("hasty", HOUR)
    assert (await world.mails.wait("hasty")).stages[0].due == order.due


async def test_while_it_is_sent_nothing_of_it_can_be_changed(world: World, server: SlowServer) -> None:
    await world.contacts(1)
    await world.start("busy", due=None, account="slow")
    await server.until_in_hand(1)
    order = (await world.mails.status("busy")).status.order
    with pytest.raises(CommandRefused, match="It is sending: stop it first, then edit and restart it"):
        await world.mails.edit("busy", Edit(by=OWNER, name="New"))
    for edit in (Edit(by=OWNER, name="New"), Edit(by=OWNER, tags=("new",)), Edit(by=OWNER, template="winter@1")):
        await world.workflow("busy").signal("edit", edit)
    status = await world.workflow("busy").query(MassMailWorkflow.status)
    assert (status.order, status.revision) == (order, 1)
    assert "It is sending: stop it first" in status.last_refusal
    server.go_on()
    assert (await world.mails.wait("busy")).order == order


async def test_a_follow_up_is_edited_when_the_first_mail_is_out(world: World) -> None:
    await world.contacts(2)
    await world.start("first-out", due=None, follow_ups=(follow_up(3),))
    await world.until("first-out", MassMailState.FOLLOWING_UP)
    sooner = (follow_up(1, template="winter"),)
    status = await world.mails.edit("first-out", Edit(by=OWNER, follow_ups=sooner))
    assert status.stages[1].due == (status.ended and status.ended + DAY)
    await world.skip("first-out", DAY)
    await world.mails.wait("first-out")
    assert sorted(subjects(world))[2:] == ["Winter", "Winter"]
    assert await world.states("first-out") == [{"sent": 2}, {"sent": 2}]


async def test_a_follow_up_is_added_while_another_waits(world: World) -> None:
    await world.contacts(2)
    order = await world.start("added", due=None, follow_ups=(follow_up(2),))
    await world.until("added", MassMailState.FOLLOWING_UP)
    both = (*order.follow_ups, follow_up(1, Audience.NOT_OPENED))
    await world.mails.edit("added", Edit(by=OWNER, follow_ups=both))
    await world.skip("added", 3 * DAY)
    await world.mails.wait("added")
    assert await world.states("added") == [{"sent": 2}] * 3


async def test_a_follow_up_is_taken_out_and_the_other_still_goes(world: World) -> None:
    await world.contacts(2)
    order = await world.start("taken-out", due=None, follow_ups=(follow_up(1), follow_up(2)))
    await world.until("taken-out", MassMailState.FOLLOWING_UP)
    await world.mails.edit("taken-out", Edit(by=OWNER, follow_ups=order.follow_ups[:1]))
    await world.skip("taken-out", 3 * DAY)
    await world.mails.wait("taken-out")
    assert await world.states("taken-out") == [{"sent": 2}, {"sent": 2}]


async def test_a_follow_up_that_is_out_stays_as_it_was(world: World) -> None:
    await world.contacts(1)
    order = await world.start("half-way", due=None, follow_ups=(follow_up(1), follow_up(5)))
    await world.until("half-way", MassMailState.FOLLOWING_UP)
    await world.skip("half-way", 2 * DAY)
    await world.until_phase("half-way", 1, Phase.OVER)
    changed = (replace(order.follow_ups[0], template="winter"), order.follow_ups[1])
    with pytest.raises(CommandRefused, match="Follow-up 1 has begun or is over"):
        await world.mails.edit("half-way", Edit(by=OWNER, follow_ups=changed))
