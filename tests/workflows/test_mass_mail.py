"""One mass mail from its order to its end, on the real Temporal dev server."""

from datetime import timedelta

from serienmail.domain.mass_mail import Audience, FollowUp
from serienmail.domain.states import MassMailState
from tests.world import World


async def test_everybody_gets_the_mass_mail_at_its_time_and_none_before(world: World) -> None:
    await world.contacts(5)
    await world.start("first")
    await world.until("first", MassMailState.SCHEDULED)
    assert world.received() == []
    await world.skip("first", timedelta(hours=2))
    status = await world.mails.wait("first")
    assert status.state is MassMailState.FINISHED_AUTOMATICALLY
    assert world.received() == [f"person{n}@example.org" for n in range(1, 6)]


async def test_follow_ups_go_to_those_who_opened_and_those_who_did_not(world: World) -> None:
    await world.contacts(4)
    rules = (
        FollowUp(template="autumn", audience=Audience.OPENED, after=timedelta(days=3)),
        FollowUp(template="autumn", audience=Audience.NOT_OPENED, after=timedelta(days=7)),
    )
    await world.start("second", follow_ups=rules)
    await world.skip("second", timedelta(hours=2))
    await world.until("second", MassMailState.FOLLOWING_UP)
    await world.opened(1)
    await world.skip("second", timedelta(days=8))
    await world.mails.wait("second")
    report = await world.mails.status("second")
    assert [report.stages[n].by_state for n in (0, 1, 2)] == [{"sent": 4}, {"sent": 1}, {"sent": 3}]
