"""One run mails each recipient at nine in the own zone, over a day and a night."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from serienmail.domain.commands import Edit
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.states import MassMailState
from tests.builders import a_contact
from tests.world import DAY, HOUR, OWNER, World, everybody


async def test_each_recipient_gets_it_at_the_local_time(world: World) -> None:
    zones = ["Pacific/Kiritimati", "Etc/GMT", "Etc/GMT+11"]
    await world.services.contacts.save([a_contact(n, time_zone=zone) for n, zone in enumerate(zones, start=1)])
    due = (datetime.now(UTC) + DAY).replace(hour=15, minute=0, second=0, microsecond=0)
    await world.start("autumn", local_time=True, due=due)
    await world.until("autumn", MassMailState.SCHEDULED)
    first = due - timedelta(hours=14)
    await world.skip("autumn", first - await world.now("autumn") + timedelta(minutes=5))
    await world.until("autumn", MassMailState.FINISHED_AUTOMATICALLY)
    sent = {mail.recipient: parsedate_to_datetime(mail.message["Date"]) for mail in world.inbox.messages()}
    hours = {address: round((at - due) / HOUR) for address, at in sent.items()}
    assert hours == {"person1@example.org": -14, "person2@example.org": 0, "person3@example.org": 11}


async def test_restarted_at_once_nobody_waits_for_the_own_local_time_any_more(world: World) -> None:
    await world.services.contacts.save([a_contact(1, time_zone="Etc/GMT"), a_contact(2, time_zone="Etc/GMT+11")])
    await world.start("autumn", local_time=True, due=datetime.now(UTC) + 2 * DAY)
    await world.until("autumn", MassMailState.SCHEDULED)
    await world.mails.stop("autumn", by=OWNER)
    await world.mails.restart("autumn", by=OWNER, now=True)
    await world.until("autumn", MassMailState.FINISHED_AUTOMATICALLY)
    assert world.received() == everybody(2)


async def test_a_new_time_at_a_restart_or_edit_is_everybody_s_local_time_too(world: World) -> None:
    await world.contacts(1, time_zone="Pacific/Kiritimati")
    due = datetime.now(UTC) + 2 * DAY
    await world.start("autumn", local_time=True, due=due)
    await world.until("autumn", MassMailState.SCHEDULED)
    await world.mails.stop("autumn", by=OWNER)
    for command in (
        world.mails.restart("autumn", by=OWNER, due=datetime.now(UTC) + HOUR),
        world.mails.edit("autumn", Edit(by=OWNER, due=datetime.now(UTC) + HOUR)),
    ):
        with pytest.raises(InvalidOrder, match="for 1 recipients already"):
            await command
    status = await world.mails.restart("autumn", by=OWNER, due=due + DAY)
    assert status.scheduled_at == due + DAY - timedelta(hours=14)
    await world.until("autumn", MassMailState.SCHEDULED)
    await world.skip("autumn", 2 * DAY + 11 * HOUR)
    await world.until("autumn", MassMailState.FINISHED_AUTOMATICALLY)


async def test_a_time_that_has_passed_for_somebody_is_refused(world: World) -> None:
    await world.contacts(1, time_zone="Pacific/Kiritimati")
    with pytest.raises(InvalidOrder, match="for 1 recipients already"):
        await world.start("autumn", local_time=True, due=datetime.now(UTC) + HOUR)
    with pytest.raises(InvalidOrder, match="needs a time"):
        await world.start("autumn", local_time=True, due=None)
