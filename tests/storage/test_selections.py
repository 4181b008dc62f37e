"""Selections are kept once, under the hash of what they ask."""

import asyncio

import pytest

from serienmail.domain.contact import CONTACTS, FieldType
from serienmail.domain.criteria import InFilter, InList, where
from serienmail.domain.errors import InvalidOrder, NotFound
from serienmail.domain.filters import Filter
from serienmail.domain.mass_mail import EVERYONE
from serienmail.domain.selection import Selection
from serienmail.storage.contacts import Attribute, ContactStore
from serienmail.storage.database import Database
from serienmail.storage.filters import FilterStore
from serienmail.storage.loading import RecipientStore
from serienmail.storage.selections import SelectionStore
from serienmail.storage.work_lists import Listing, WorkListStore
from tests.builders import a_contact, a_load

IN_ULM = Selection(where("city").eq("Ulm") & ~where("company").empty())


async def test_a_selection_is_found_again_under_its_id(database: Database) -> None:
    store = SelectionStore(database)
    assert await store.save(IN_ULM) == IN_ULM.id
    assert await store.get(IN_ULM.id) == IN_ULM


async def test_saving_it_again_even_at_once_keeps_one(database: Database) -> None:
    ids = await asyncio.gather(*(SelectionStore(database).save(IN_ULM) for _ in range(5)))
    assert set(ids) == {IN_ULM.id}


async def test_everyone_needs_no_row(database: Database) -> None:
    store = SelectionStore(database)
    assert await store.save(Selection()) == EVERYONE
    assert await store.get(EVERYONE) == Selection()


async def test_an_unknown_selection_is_told(database: Database) -> None:
    with pytest.raises(NotFound, match="'abc'; store it first"):
        await SelectionStore(database).get("abc")


async def test_filters_and_lists_are_asked_anew_each_time_unless_they_are_fixed(database: Database) -> None:
    contacts, store, recipients = ContactStore(database), SelectionStore(database), RecipientStore(database)
    await contacts.save([a_contact(1, city="Ulm"), a_contact(2), a_contact(3, city="Ulm"), a_contact(4, city="Ulm")])
    await FilterStore(database).save(Filter("ulm", where("city").eq("Ulm")))
    await WorkListStore(database).create("out")
    await WorkListStore(database).add_keys("out", ["3"], CONTACTS)
    dynamic = await store.save(Selection(InFilter("ulm"), where("key").eq("4"), InList("out")))
    fixed = await store.fix(dynamic)
    await FilterStore(database).save(Filter("ulm", where("city").eq("Bonn")))
    await contacts.save([a_contact(2, city="Bonn")])
    await WorkListStore(database).delete("out")
    counts = (await recipients.preview(a_load(selection=fixed))).counts
    assert (counts.selected, counts.excluded) == (3, {"removed_by_hand": 1, "ignored": 1})
    with pytest.raises(InvalidOrder, match="no work list 'out'"):
        await recipients.preview(a_load(selection=dynamic))
    await WorkListStore(database).create("out")
    assert (await recipients.preview(a_load(selection=dynamic))).counts.will_receive == 1
    assert await WorkListStore(database).all() == [Listing("out", CONTACTS, 0, 0)]  # what is fixed isn't shown


async def test_a_selection_is_of_one_module(database: Database) -> None:
    contacts, store = ContactStore(database), SelectionStore(database)
    await contacts.learn([Attribute("budget", FieldType.NUMBER)], "lead")
    await contacts.save([a_contact(1), a_contact(2)])
    await contacts.save([a_contact(1, attributes={"budget": 5}), a_contact(3, attributes={"budget": 1})], module="lead")
    rich = await store.save(Selection(where("budget").ge(2), module="lead"))
    assert (await RecipientStore(database).preview(a_load(selection=rich))).counts.selected == 1
    assert (await RecipientStore(database).preview(a_load())).counts.selected == 2
    with pytest.raises(InvalidOrder, match="no field 'budget'"):
        await store.chosen(await store.save(Selection(where("budget").ge(2))))
