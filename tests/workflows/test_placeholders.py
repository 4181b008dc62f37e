"""Placeholders that are empty for somebody: refused, stopped or excluded, never sent half-filled."""

from datetime import UTC, datetime, timedelta

import pytest

from serienmail.domain.errors import InvalidOrder
from serienmail.domain.mass_mail import AsOf, OnMissing
from serienmail.domain.states import MassMailState
from serienmail.domain.template import Template
from tests.builders import a_contact
from tests.world import OWNER, World, everybody

FIRM = Template("firm", "For {{ contact.company }}", text="{{ salutation }}")
SENTENCE = "Placeholders are empty for some recipients (contact.company for 1): give defaults"
EXCLUDED = "1 a placeholder is empty or can't be used"
WITH_FIRM = [a_contact(n, company="Example Ltd") for n in (1, 2, 3)]


@pytest.fixture(autouse=True)
async def firm(world: World) -> None:
    await world.services.templates.add(FIRM, datetime.now(UTC))


async def test_the_start_is_refused_while_one_is_empty(world: World) -> None:
    await world.services.contacts.save([*WITH_FIRM, a_contact(4)])
    with pytest.raises(InvalidOrder) as refused:
        await world.start("refused", template="firm")
    assert SENTENCE in str(refused.value)
    assert await world.mails.list() == []


async def test_one_emptied_after_the_start_stops_it_until_it_is_filled(world: World) -> None:
    await world.services.contacts.save(WITH_FIRM)
    await world.rest()
    await world.start("emptied", template="firm", due=None)
    await world.services.contacts.save([a_contact(2)])
    await world.work()
    status = await world.until("emptied", MassMailState.STOPPED)
    assert SENTENCE in status.reason
    await world.services.contacts.save(WITH_FIRM)
    await world.mails.restart("emptied", by=OWNER, now=True)
    await world.mails.wait("emptied")
    assert world.received() == everybody(3)


async def test_one_emptied_before_it_is_due_stops_it_then(world: World) -> None:
    await world.services.contacts.save(WITH_FIRM)
    await world.start("early", template="firm")
    await world.until("early", MassMailState.SCHEDULED)
    await world.services.contacts.save([a_contact(3)])
    await world.skip("early", timedelta(hours=2))
    assert SENTENCE in (await world.until("early", MassMailState.STOPPED)).reason
    assert world.received() == []


async def test_who_lacks_one_is_excluded_if_the_order_says_so(world: World) -> None:
    await world.services.contacts.save([*WITH_FIRM, a_contact(4)])
    await world.start("excluded", template="firm", due=None, on_missing=OnMissing.EXCLUDE)
    status = await world.until("excluded", MassMailState.INCOMPLETE)
    assert status.reason == EXCLUDED
    assert world.received() == everybody(3)


async def test_one_emptied_after_the_check_excludes_that_recipient_alone(world: World) -> None:
    await world.services.contacts.save(WITH_FIRM)
    await world.start("late", template="firm", as_of=AsOf.START)  # else it is checked again when it is due
    await world.until("late", MassMailState.SCHEDULED)
    await world.services.contacts.save([a_contact(3)])
    await world.mails.stop("late", by=OWNER)
    await world.mails.restart("late", by=OWNER, now=True)
    status = await world.until("late", MassMailState.INCOMPLETE)
    assert (status.reason, world.received()) == (EXCLUDED, everybody(2))


async def test_sent_again_who_still_lacks_one_is_excluded_again_until_it_is_filled(world: World) -> None:
    await world.services.contacts.save([WITH_FIRM[0], a_contact(2), a_contact(3)])
    await world.start("again", template="firm", due=None, on_missing=OnMissing.EXCLUDE)
    await world.until("again", MassMailState.INCOMPLETE)
    await world.services.contacts.save(WITH_FIRM[:2])
    await world.mails.send_again("again", by=OWNER)
    await world.until_received(2)
    status = await world.until("again", MassMailState.INCOMPLETE)
    assert (status.reason, world.received()) == (EXCLUDED, everybody(2))
    await world.services.contacts.save(WITH_FIRM)
    await world.mails.send_again("again", by=OWNER)
    assert (await world.mails.wait("again")).state is MassMailState.FINISHED_AUTOMATICALLY
    assert world.received() == everybody(3)
