"""What the CRM keeps of a mass mail: in the database alone, and once."""

import asyncio
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from serienmail.domain.activity import Activity, Kind
from serienmail.domain.criteria import where
from serienmail.domain.crm_record import CrmJob, CrmRecord, Extent, Reminder
from serienmail.domain.delivery import StageKey
from serienmail.domain.selection import Selection
from serienmail.storage.activities import ActivityStore
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.selections import SelectionStore
from serienmail.storage.tables import delivery
from tests.builders import KEY, NOON, a_contact, an_open_stage

LATER = NOON + timedelta(days=1)


async def three_of_four(database: Database) -> ActivityStore:
    """A mass mail that three people have got, and the last one hasn't."""
    await an_open_stage(database, 4)
    async with database.write() as connection:
        await connection.execute(update(delivery).where(delivery.c.seq < 4).values(state="sent"))
    return ActivityStore(database)


def a_job(key: StageKey = KEY, **fields: Any) -> CrmJob:
    """Anna's, with the subject ``Autumn``."""
    return CrmJob(key, CrmRecord(**{"activities": Extent.EACH, "subject": "Autumn", **fields}), "anna")


async def about(store: ActivityStore, **which: Any) -> list[tuple[str, str]]:
    """Kind and contact of what is kept, the oldest first."""
    return [(each.kind.value, each.contact) for each in reversed(await store.list(**which))]


async def test_each_recipient_who_got_it_has_an_activity_that_says_mass_mail(database: Database) -> None:
    store = await three_of_four(database)
    assert await store.keep(a_job(), NOON) == 3
    assert sorted(await about(store)) == [("mass_mail", "1"), ("mass_mail", "2"), ("mass_mail", "3")]
    assert await store.list(contact_key="2") == [
        Activity(
            kind=Kind.MASS_MAIL, subject="Autumn", created_at=NOON, module="contact", contact="2",
            mass_mail_id="autumn", assigned=("anna",),
        )
    ]  # fmt: skip


async def test_a_second_try_adds_only_who_got_it_since(database: Database) -> None:
    store = await three_of_four(database)
    await asyncio.gather(*(store.keep(a_job(), NOON) for _ in range(3)))
    async with database.write() as connection:
        await connection.execute(update(delivery).values(state="sent"))
    assert await store.keep(a_job(), LATER) == 1
    assert [each.created_at for each in await store.list(kind=Kind.MASS_MAIL)] == [LATER, NOON, NOON, NOON]


async def test_one_activity_is_for_all_recipients_together(database: Database) -> None:
    store = await three_of_four(database)
    one = a_job(activities=Extent.ONE, employees=("carla", "b.mueller"))
    assert [await store.keep(one, NOON), await store.keep(one, NOON)] == [1, 0]
    (kept,) = await store.list(mass_mail_id="autumn")
    assert (kept.contact, kept.assigned) == ("", ("carla", "b.mueller"))


async def test_a_stage_that_nobody_got_leaves_nothing(database: Database) -> None:
    await an_open_stage(database, 2)
    linked = await SelectionStore(database).save(Selection(where("key").eq("1")))
    store = ActivityStore(database)
    for activities in (Extent.EACH, Extent.ONE):
        assert await store.keep(a_job(activities=activities, linked=linked), NOON) == 0


async def test_linked_records_get_the_entry_too_and_a_recipient_among_them_only_one(database: Database) -> None:
    store = await three_of_four(database)
    await ContactStore(database).save([a_contact(7, key="D-7"), a_contact(8, key="D-8")], module="deal")
    deal = await SelectionStore(database).save(Selection(where("key").eq("D-7"), module="deal"))
    themselves = await SelectionStore(database).save(Selection(where("key").in_("1", "4")))
    assert await store.keep(a_job(activities=Extent.ONE, linked=deal), NOON) == 2
    assert await about(store, contact_key="D-7", module="deal") == [("mass_mail", "D-7")]
    follow_up = StageKey("autumn", 1)
    async with database.write() as connection:
        await connection.execute(update(delivery).values(stage=1))
    assert await store.keep(a_job(follow_up, linked=themselves), NOON) == 4  # three got it, and the fourth is linked


async def test_employees_are_reminded_once_of_the_mass_mail_and_not_of_its_follow_ups(database: Database) -> None:
    store = await three_of_four(database)
    month = Reminder(after=timedelta(days=30), subject="Who hasn't answered?")
    reminding = {"activities": Extent.NONE, "reminder": month, "employees": ("carla",)}
    assert [await store.keep(a_job(**reminding), at) for at in (NOON, LATER)] == [1, 0]
    assert await store.keep(a_job(StageKey("autumn", 1), **reminding), LATER) == 0
    (reminder,) = await store.list(kind=Kind.REMINDER)
    assert (reminder.subject, reminder.due_at, reminder.assigned) == (
        "Who hasn't answered?", NOON + timedelta(days=30), ("carla",),
    )  # fmt: skip


async def test_the_newest_come_first_and_not_all_of_a_million(database: Database) -> None:
    store = await three_of_four(database)
    await store.keep(a_job(), NOON)
    assert len(await store.list(most=2)) == 2
