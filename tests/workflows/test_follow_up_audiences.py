"""Who gets a follow-up, and who gets nothing any more, decided at the moment it is due."""

from datetime import UTC, datetime

from serienmail.domain.commands import Phase
from serienmail.domain.criteria import Comparison, Operator
from serienmail.domain.mass_mail import Audience, CountedFrom, Of
from serienmail.domain.states import MassMailState
from tests.builders import a_contact
from tests.world import DAY, HOUR, OWNER, World, everybody, follow_up

FIRST = 1  # the number of a test's only mass mail, as links name it


async def test_each_audience_gets_its_follow_up_and_the_unmeasured_only_that_for_all(world: World) -> None:
    await world.services.contacts.save([a_contact(n, tracking=n < 5) for n in range(1, 7)])
    audiences = (Audience.RECEIVED, Audience.OPENED, Audience.NOT_OPENED)
    rules = tuple(follow_up(day, audience) for day, audience in enumerate(audiences, start=1))
    await world.start("audiences", due=None, follow_ups=rules)
    await world.until("audiences", MassMailState.FOLLOWING_UP)
    await world.opened(1, 2, 6)  # the sixth mail has no pixel: this open can't be
    await world.skip("audiences", 4 * DAY)
    await world.mails.wait("audiences")
    assert await world.states("audiences") == [{"sent": 6}, {"sent": 6}, {"sent": 2}, {"sent": 2}]


async def test_clicks_choose_audiences_and_a_machine_s_do_not(world: World) -> None:
    await world.contacts(4)
    audiences = (Audience.CLICKED, Audience.NOT_CLICKED)
    rules = tuple(follow_up(day, audience) for day, audience in enumerate(audiences, start=1))
    await world.start("clicks", due=None, follow_ups=rules)
    await world.until("clicks", MassMailState.FOLLOWING_UP)
    await world.opened(1)
    await world.opened(2, link=1)
    for link in (1, 2, 3):  # all at once
        await world.opened(3, link=link)
    await world.skip("clicks", 3 * DAY)
    await world.mails.wait("clicks")
    assert await world.states("clicks") == [{"sent": 4}, {"sent": 1}, {"sent": 3}]


async def test_an_audience_can_be_a_part_of_the_follow_up_before_it(world: World) -> None:
    await world.contacts(3)
    rules = (follow_up(1), follow_up(2, Audience.CLICKED, of=Of.PREVIOUS), follow_up(3, Audience.CLICKED))
    await world.start("previous", due=None, follow_ups=rules)
    await world.until("previous", MassMailState.FOLLOWING_UP)
    await world.skip("previous", DAY)
    await world.until_phase("previous", 1, Phase.OVER)
    await world.opened(2, 3, link=1, stage=1)
    await world.skip("previous", 2 * DAY)
    await world.mails.wait("previous")
    assert await world.states("previous") == [{"sent": 3}, {"sent": 3}, {"sent": 2}, {}]


async def test_ignore_criteria_look_at_the_contacts_as_they_are_when_it_is_due(world: World) -> None:
    await world.contacts(3)
    bought = await world.mails.select(Comparison("city", Operator.EQ, "Bonn"))
    rules = (follow_up(3, ignore=bought),)
    await world.start("ignore", due=None, follow_ups=rules)
    await world.until("ignore", MassMailState.FOLLOWING_UP)
    await world.services.contacts.save([a_contact(2, city="Bonn")])
    await world.skip("ignore", 3 * DAY)
    status = await world.mails.wait("ignore")
    report = await world.mails.status("ignore")
    assert (report.stages[1].excluded, report.stages[1].by_state["sent"]) == ({"ignored": 1}, 2)
    assert status.state is MassMailState.FINISHED_AUTOMATICALLY  # criteria are the author's own wish


async def test_who_unsubscribes_before_it_is_due_gets_nothing(world: World) -> None:
    await world.contacts(3)
    await world.start("opt-out")
    await world.until("opt-out", MassMailState.SCHEDULED)
    assert await world.tracking.unsubscribed(FIRST, 0, 2, datetime.now(UTC))
    await world.skip("opt-out", HOUR)
    status = await world.until("opt-out", MassMailState.INCOMPLETE)
    report = await world.mails.status("opt-out")
    assert (report.stages[0].excluded, status.reason) == ({"unsubscribed": 1}, "1 unsubscribed")
    assert "person2@example.org" not in world.received()


async def test_who_unsubscribes_from_the_mass_mail_gets_no_follow_up(world: World) -> None:
    await world.contacts(3)
    await world.start("no-more", due=None, follow_ups=(follow_up(1),))
    await world.until("no-more", MassMailState.FOLLOWING_UP)
    assert await world.tracking.unsubscribed(FIRST, 0, 2, datetime.now(UTC))
    await world.skip("no-more", DAY)
    await world.mails.wait("no-more")
    report = await world.mails.status("no-more")
    assert report.stages[1].excluded == {"unsubscribed": 1}
    assert world.received().count("person2@example.org") == 1


async def test_an_opt_in_withdrawn_by_an_import_before_it_is_due_is_heeded(world: World) -> None:
    await world.contacts(3)
    await world.start("withdrawn")
    await world.until("withdrawn", MassMailState.SCHEDULED)
    await world.services.contacts.save([a_contact(3, opt_in=False)])
    await world.skip("withdrawn", HOUR)
    await world.until("withdrawn", MassMailState.INCOMPLETE)
    assert (await world.mails.status("withdrawn")).stages[0].excluded == {"no_opt_in": 1}
    assert world.received() == everybody(2)


async def test_a_follow_up_to_nobody_is_over_at_once(world: World) -> None:
    await world.contacts(1)
    await world.start("nobody", due=None, follow_ups=(follow_up(1, Audience.OPENED),))
    await world.until("nobody", MassMailState.FOLLOWING_UP)
    await world.skip("nobody", DAY)
    assert (await world.mails.wait("nobody")).state is MassMailState.FINISHED_AUTOMATICALLY
    assert await world.states("nobody") == [{"sent": 1}, {}]


async def test_each_gets_a_follow_up_so_long_after_their_own_click_and_nobody_twice(world: World) -> None:
    await world.contacts(4)
    each = follow_up(3, Audience.CLICKED, counted_from=CountedFrom.EVENT, within=10 * DAY)
    await world.start("own-days", due=None, follow_ups=(each,))
    await world.until_phase("own-days", 1, Phase.WAITING_TO_CONTINUE)
    waiting = await world.details(world.workflow("own-days"))
    assert "due 3 days after each one's own click" in waiting
    assert "others get it so long after their own open or click" in waiting
    now = await world.now("own-days")
    await world.opened(1, link=1)
    await world.opened(2, link=1, at=now + 5 * DAY)
    await world.opened(3, link=1, at=now + 11 * DAY)  # too late
    await world.opened(4, at=now + DAY)  # no click
    first = world.delivery_of_follow_up("own-days", 1, 2)
    await world.environment.fast_forward(first, 4 * DAY)
    await world.until_received(5)
    await world.until_phase("own-days", 1, Phase.WAITING_TO_CONTINUE)
    await world.mails.stop("own-days", by=OWNER)
    await world.until("own-days", MassMailState.STOPPED)
    await world.mails.restart("own-days", by=OWNER)
    await world.until_phase("own-days", 1, Phase.WAITING_TO_CONTINUE)
    await world.environment.fast_forward(world.delivery_of_follow_up("own-days", 1, 3), 20 * DAY)
    await world.mails.wait("own-days")
    assert await world.states("own-days") == [{"sent": 4}, {"sent": 2}]
    assert world.received() == sorted([*everybody(4), *everybody(2)])
