"""Notes and tasks for a group are created in one transaction, and once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from serienmail.domain.activity import Activity, Kind, Priority
from serienmail.domain.contact_action import LARGEST_GROUP, ContactAction, GroupNote, GroupTask
from serienmail.domain.criteria import where
from serienmail.domain.errors import InvalidOrder, NotFound
from serienmail.domain.selection import Selection
from serienmail.storage.activities import ActivityStore
from serienmail.storage.contact_actions import ContactActionStore
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.selections import SelectionStore
from tests.builders import NOON, a_contact

NOTE = GroupNote(type="Letter", subject="Got the catalogue", text="By post.")
TASK = GroupTask(type="Visit", subject="Show the new model", priority=Priority.HIGH)


async def three_in_ulm(database: Database, **fields: Any) -> ContactAction:
    """Anna's action for two of three people in Ulm, and none in Bonn."""
    await ContactStore(database).save([a_contact(n, city="Ulm" if n < 4 else "Bonn") for n in range(1, 6)])
    group = Selection(where("city").eq("Ulm"), removed=where("key").eq("2"))
    selection = await SelectionStore(database).save(group)
    return ContactAction(**{"id": "autumn", "by": "anna", "selection": selection, "note": NOTE, "task": TASK, **fields})


async def test_each_record_of_the_group_gets_a_note_and_a_task_and_nobody_else(database: Database) -> None:
    action = await three_in_ulm(database)
    store, activities = ContactActionStore(database), ActivityStore(database)
    assert await store.people(action) == 2
    assert await store.create(action, NOON) == 4
    assert sorted((each.kind.value, each.contact) for each in await activities.list()) == [
        ("note", "1"), ("note", "3"), ("task", "1"), ("task", "3"),
    ]  # fmt: skip
    assert await activities.list(contact_key="1", kind=Kind.TASK) == [
        Activity(
            kind=Kind.TASK, subject="Show the new model", created_at=NOON, module="contact", contact="1", type="Visit",
            assigned=("anna",), status="not_started", priority="high", starts_at=NOON, due_at=NOON,
        )
    ]  # fmt: skip


async def test_running_it_again_creates_nothing_twice(database: Database) -> None:
    action = await three_in_ulm(database)
    store = ContactActionStore(database)
    assert sum(await asyncio.gather(*(store.create(action, NOON) for _ in range(3)))) == 4
    assert len(await ActivityStore(database).list()) == 4


async def test_a_task_has_the_assignee_and_the_times_that_it_was_given(database: Database) -> None:
    begin, end = NOON + timedelta(days=1), NOON + timedelta(days=2)
    task = GroupTask(type="Visit", subject="Show", assignee="carla", starts_at=begin, ends_at=end)
    await ContactActionStore(database).create(await three_in_ulm(database, note=None, task=task), NOON)
    shown = await ActivityStore(database).list()
    assert [(each.assigned, each.starts_at, each.due_at) for each in shown] == [(("carla",), begin, end)] * 2


async def test_too_many_records_nobody_and_an_unknown_selection_are_refused(database: Database) -> None:
    action = await three_in_ulm(database)
    await ContactStore(database).save([a_contact(n, city="Ulm") for n in range(10, 10 + LARGEST_GROUP)])
    store = ContactActionStore(database)
    with pytest.raises(InvalidOrder, match="2002 are selected"):
        await store.create(action, NOON)
    nobody = await SelectionStore(database).save(Selection(where("city").eq("Rome")))
    with pytest.raises(InvalidOrder, match="Nobody is selected"):
        await store.create(ContactAction(id="a", by="anna", selection=nobody, note=NOTE), NOON)
    with pytest.raises(NotFound):
        await store.people(ContactAction(id="a", by="anna", selection="gone", note=NOTE))
    assert await ActivityStore(database).list() == []


async def test_a_template_replaces_the_one_that_has_its_name(database: Database) -> None:
    store = ContactActionStore(database)
    for text in ("one", "two"):
        await store.save("visit", text)
    await store.save("letter", "three")
    assert (await store.saved("visit"), await store.names()) == ("two", ["letter", "visit"])
    with pytest.raises(NotFound, match="There is no action 'call'"):
        await store.saved("call")
