"""Who comes one by one joins a follow-up so long after their own event, once, and as their contact is then."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from serienmail.domain.criteria import where
from serienmail.domain.delivery import Answer, StageKey, Verdict, outcome
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.loading import Load, OwnDays
from serienmail.domain.mass_mail import Audience
from serienmail.domain.selection import Selection
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.loading import RecipientStore
from serienmail.storage.selections import SelectionStore
from tests.builders import NOON, a_contact, a_job, a_load, a_person_opens, an_open_stage, claim, rows, states

THANKS = StageKey("autumn", 1)
DAY = timedelta(days=1)


def thanks(**changes: Any) -> Load:
    """Two days after each one opened, within a week."""
    return a_load(THANKS, **{"audience": Audience.OPENED, "own_days": OwnDays(2 * DAY, within=7 * DAY), **changes})


@pytest.fixture
async def recipients(database: Database) -> RecipientStore:
    """The mass mail went to four people at noon; the fourth isn't measured."""
    ledger = await an_open_stage(database, [a_contact(n, tracking=n < 4) for n in range(1, 5)])
    while claimed := await claim(ledger, a_job(), NOON):
        await ledger.record(outcome(claimed, Answer(Verdict.ACCEPTED), NOON))
    return RecipientStore(database)


async def joined(recipients: RecipientStore, database: Database, now: datetime, load: Load | None = None) -> list[str]:
    """The follow-up's rows as they are after those who are due have joined."""
    await recipients.load(load or thanks(), now)
    return await states(database, THANKS)


async def test_each_joins_when_the_days_after_their_own_open_are_over(
    recipients: RecipientStore, database: Database
) -> None:
    await a_person_opens(database, 2, NOON + DAY)
    await a_person_opens(database, 1, NOON + 2 * DAY)
    await a_person_opens(database, 4, NOON + DAY)  # without a pixel: it can't have been
    joining = [await joined(recipients, database, NOON + days * DAY) for days in range(6)]
    assert [len(known) for known in joining] == [0, 0, 0, 1, 2, 2]
    assert [row.contact_id for row in await rows(database, THANKS)] == [2, 1]
    assert [row.seq for row in await rows(database, THANKS)] == [1, 2]


async def test_clicks_are_counted_from_apart_from_opens(recipients: RecipientStore, database: Database) -> None:
    await a_person_opens(database, 1, NOON)
    await a_person_opens(database, 1, NOON + 3 * DAY, link=1)
    clicked = thanks(audience=Audience.CLICKED)
    assert await joined(recipients, database, NOON + 4 * DAY, clicked) == []
    assert await joined(recipients, database, NOON + 5 * DAY, clicked) == ["pending"]


async def test_who_opens_when_the_time_for_it_is_over_joins_no_more(
    recipients: RecipientStore, database: Database
) -> None:
    await a_person_opens(database, 1, NOON + 7 * DAY - timedelta(seconds=1))
    await a_person_opens(database, 2, NOON + 7 * DAY)
    assert await joined(recipients, database, NOON + 30 * DAY) == ["pending"]
    assert await recipients.looks_again(thanks(), NOON + 30 * DAY) is None


async def test_it_is_looked_again_when_the_next_one_is_due(recipients: RecipientStore, database: Database) -> None:
    assert await recipients.looks_again(thanks(), NOON) == NOON + 2 * DAY  # somebody may open now
    await a_person_opens(database, 1, NOON + DAY)
    again = await recipients.looks_again(thanks(), NOON + DAY)
    assert again is not None
    assert await joined(recipients, database, again) == ["pending"]
    assert await recipients.looks_again(thanks(), NOON + 6 * DAY) == NOON + 7 * DAY
    assert await recipients.looks_again(thanks(), NOON + 7 * DAY) is None


async def test_whoever_doesnt_come_one_by_one_is_not_looked_for_again(recipients: RecipientStore) -> None:
    assert await recipients.looks_again(a_load(THANKS, audience=Audience.OPENED), NOON) is None


async def test_ignore_criteria_and_consent_are_asked_when_each_ones_days_are_over(
    recipients: RecipientStore, database: Database
) -> None:
    selections, contacts = SelectionStore(database), ContactStore(database)
    load = thanks(ignore=await selections.save(Selection(where("city").eq("Bonn"))))
    for seq in (1, 2, 3):
        await a_person_opens(database, seq, NOON)
    assert await joined(recipients, database, NOON + DAY, load) == []
    await contacts.save([a_contact(1, city="Bonn"), a_contact(2, opt_in=False)])
    due = await joined(recipients, database, NOON + 2 * DAY, load)
    assert due == ["excluded:ignored", "excluded:no_opt_in", "pending"]


async def test_an_address_that_has_it_already_gets_it_no_second_time(
    recipients: RecipientStore, database: Database
) -> None:
    await a_person_opens(database, 1, NOON)
    await a_person_opens(database, 2, NOON + DAY)
    assert await joined(recipients, database, NOON + 2 * DAY) == ["pending"]
    await ContactStore(database).save([a_contact(2, email="person1@example.org")])
    assert await joined(recipients, database, NOON + 3 * DAY) == ["pending", f"excluded:{Exclusion.DUPLICATE}"]
