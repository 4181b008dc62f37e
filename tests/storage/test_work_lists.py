"""Work lists change by hand only, and inside the database."""

import pytest

from serienmail.domain.criteria import InList, where
from serienmail.domain.errors import AlreadyExists, InvalidOrder, NotFound
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.selections import SelectionStore
from serienmail.storage.work_lists import BATCH, Changed, Listing, WorkListStore
from tests.builders import a_contact


@pytest.fixture
async def lists(database: Database) -> WorkListStore:
    """Three contacts, two of them in Ulm, a lead with the first one's key, and an empty list."""
    store = ContactStore(database)
    await store.save([a_contact(1, city="Ulm"), a_contact(2, city="Ulm"), a_contact(3)])
    await store.save([a_contact(1, city="Ulm"), a_contact(9, city="Ulm")], module="lead")
    lists = WorkListStore(database)
    await lists.create("fair")
    return lists


async def test_a_list_starts_from_a_criterion_and_is_extended_and_reduced_by_hand(
    database: Database, lists: WorkListStore
) -> None:
    ulm = await SelectionStore(database).condition(where("city").eq("Ulm"))
    assert await lists.add("fair", ulm) == Changed(2)
    assert await lists.add_keys("fair", ["2", "3", "4", "9"], "contact") == Changed(1, ("4", "9"))
    assert await lists.remove_keys("fair", ["1", "5"]) == Changed(1, ("5",))
    assert await lists.keys("fair") == ["2", "3"]
    assert await lists.remove("fair", ulm) == Changed(1)
    assert await lists.keys("fair") == ["3"]


async def test_a_list_stays_as_it_is_when_contacts_change(database: Database, lists: WorkListStore) -> None:
    await lists.add("fair", await SelectionStore(database).condition(where("city").eq("Ulm")))
    await ContactStore(database).save([a_contact(1, city="Bonn"), a_contact(3, city="Ulm")])
    assert await ContactStore(database).count(await SelectionStore(database).condition(InList("fair"))) == 2
    assert await lists.keys("fair") == ["1", "2"]


async def test_a_record_of_another_module_with_the_same_key_is_not_on_the_list(
    database: Database, lists: WorkListStore
) -> None:
    await lists.add_keys("fair", ["1"], "contact")
    with pytest.raises(InvalidOrder, match="of the module 'contact', the selection of 'lead'"):
        await SelectionStore(database).condition(InList("fair"), "lead")
    assert await lists.all() == [Listing("fair", "contact", records=1, gone=0)]


async def test_more_keys_than_a_statement_takes_are_no_trouble(database: Database, lists: WorkListStore) -> None:
    people = [a_contact(number) for number in range(10, BATCH + 20)]
    await ContactStore(database).save(people)
    assert await lists.add_keys("fair", [person.key for person in people], "contact") == Changed(len(people))


async def test_names_are_unique_and_a_deleted_list_is_gone(lists: WorkListStore) -> None:
    with pytest.raises(AlreadyExists, match="'fair' already"):
        await lists.create("fair")
    await lists.add_keys("fair", ["1"], "contact")
    await lists.delete("fair")
    with pytest.raises(NotFound, match="no work list 'fair'"):
        await lists.module("fair")
    await lists.create("fair")
    assert await lists.keys("fair") == []


async def test_keys_that_no_record_can_have_are_unknown(lists: WorkListStore) -> None:
    odd = ("", "a\0", "\ud800", "x" * 100_000)
    assert await lists.add_keys("fair", ["1", *odd], "contact") == Changed(1, odd)
    assert await lists.remove_keys("fair", ["1", *odd]) == Changed(1, odd)
