"""When a stage is out, the CRM gets its record; a mass mail that is sent again adds to it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.activity import Kind
from serienmail.domain.commands import Edit
from serienmail.domain.criteria import where
from serienmail.domain.crm_record import CrmRecord, Extent, Reminder
from serienmail.domain.errors import InvalidOrder, NotFound
from serienmail.domain.states import MassMailState
from serienmail.storage.database import Database
from tests.builders import a_contact
from tests.world import DAY, HOUR, OWNER, World, follow_up, world_on

EACH = CrmRecord(activities=Extent.EACH, reminder=Reminder(after=timedelta(days=30)))


@pytest.fixture
async def world(temporal: WorkflowEnvironment, database: Database, tmp_path: Path) -> AsyncIterator[World]:
    """An installation on each database in turn."""
    async with world_on(temporal, tmp_path, database.url) as world:
        yield world


async def kept(world: World, mass_mail_id: str) -> list[tuple[str, int, str]]:
    """Kind, stage and contact of what the CRM has, sorted."""
    found = await world.services.activities.list(mass_mail_id=mass_mail_id)
    return sorted((each.kind.value, each.stage, each.contact) for each in found)


async def test_each_recipient_of_the_mass_mail_and_of_its_follow_up_has_an_entry(world: World) -> None:
    await world.contacts(2)
    order = await world.start("kept", due=None, crm=EACH, follow_ups=(follow_up(1),))
    assert order.crm.subject == "Autumn for …"  # proposed from the mail's
    await world.until("kept", MassMailState.FOLLOWING_UP)
    assert await kept(world, "kept") == [("mass_mail", 0, "1"), ("mass_mail", 0, "2"), ("reminder", 0, "")]
    await world.skip("kept", DAY)
    await world.mails.wait("kept")
    assert [stage for kind, stage, _ in await kept(world, "kept") if kind == "mass_mail"] == [0, 0, 1, 1]
    (reminder,) = await world.services.activities.list(kind=Kind.REMINDER)
    assert (reminder.subject, reminder.assigned) == ("Autumn for …", (OWNER,))


async def test_who_gets_it_when_it_is_sent_again_is_added(world: World) -> None:
    await world.services.contacts.save([a_contact(1), a_contact(2, opt_in=False)])
    await world.start("again", due=None, crm=EACH)
    await world.until("again", MassMailState.INCOMPLETE)
    await world.services.contacts.save([a_contact(2)])
    await world.mails.send_again("again", by=OWNER)
    await world.until("again", MassMailState.FINISHED_AUTOMATICALLY)
    assert await kept(world, "again") == [("mass_mail", 0, "1"), ("mass_mail", 0, "2"), ("reminder", 0, "")]


async def test_what_the_crm_keeps_can_be_edited_until_the_mass_mail_is_out(world: World) -> None:
    await world.contacts(1)
    await world.start("edited")
    await world.until("edited", MassMailState.SCHEDULED)
    status = await world.mails.edit("edited", Edit(by=OWNER, crm=CrmRecord(activities=Extent.ONE)))
    assert status.order.crm.subject == "Autumn for …"
    await world.skip("edited", HOUR)
    await world.until("edited", MassMailState.FINISHED_AUTOMATICALLY)
    assert await kept(world, "edited") == [("mass_mail", 0, "")]


async def test_an_order_that_says_nothing_of_the_crm_leaves_nothing_there(world: World) -> None:
    await world.contacts(1)
    await world.start("nothing", due=None)
    await world.until("nothing", MassMailState.FINISHED_AUTOMATICALLY)
    assert await kept(world, "nothing") == []


async def test_an_order_that_links_records_of_an_unknown_selection_is_refused(world: World) -> None:
    await world.contacts(1)
    with pytest.raises(NotFound, match="no stored selection 'deals'"):
        await world.start("linked", crm=CrmRecord(activities=Extent.ONE, linked="deals"))
    deals = await world.mails.recipients.select(where("city").eq("Ulm"))
    with pytest.raises(InvalidOrder, match="say activities = one or each"):
        await world.start("linked", crm=CrmRecord(linked=deals))
