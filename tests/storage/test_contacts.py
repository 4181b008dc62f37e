"""Contacts are saved by their key, repeatably, and attributes keep the type they were learnt with."""

import asyncio
from dataclasses import replace
from datetime import date, datetime

import pytest
from sqlalchemy import select

from serienmail.domain.contact import BUILT_IN_FIELDS, FieldType
from serienmail.domain.criteria import where
from serienmail.domain.errors import ImportFailed
from serienmail.domain.filters import Vocabulary
from serienmail.storage.contacts import Attribute, ContactRow, ContactStore, ImportCounts
from serienmail.storage.criteria import condition
from serienmail.storage.database import Database
from serienmail.storage.tables import contact

IDA = ContactRow(
    key="1",
    last_name="Weiß",
    email=" Ida.Weiss@Example.org ",
    city="Köln",
    opt_in=True,
    attributes={"industry": "Handel", "revenue": 21486.81, "since": date(2020, 2, 4), "vip": None},
)
JAN = ContactRow(key="2", email="unbekannt")


async def test_contacts_are_added_once(database: Database) -> None:
    store = ContactStore(database)
    assert await store.save([IDA, JAN]) == ImportCounts(added=2)
    assert await store.count() == 2


async def test_saving_the_same_again_changes_nothing_not_even_the_time_of_import(database: Database) -> None:
    store = ContactStore(database)
    await store.save([IDA, JAN])
    before = await _imported_at(database)
    await asyncio.sleep(0.002)
    assert await store.save([IDA, JAN]) == ImportCounts(unchanged=2)
    assert await _imported_at(database) == before


@pytest.mark.parametrize(
    "change",
    [
        {"opt_in": False},
        {"email": "ida@example.net"},
        {"attributes": {"industry": "Bau", "revenue": 21486.81, "since": date(2020, 2, 4), "vip": None}},
    ],
)
async def test_only_changed_contacts_are_written(database: Database, change: dict[str, object]) -> None:
    store = ContactStore(database)
    await store.save([IDA, JAN])
    before = await _imported_at(database)
    await asyncio.sleep(0.002)
    counts = await store.save([replace(IDA, **change), JAN, ContactRow(key="3")])  # type: ignore[arg-type]  # by case
    assert counts == ImportCounts(added=1, changed=1, unchanged=1)
    after = await _imported_at(database)
    assert after["1"] > before["1"]
    assert after["2"] == before["2"]


async def test_addresses_are_trimmed_and_get_a_key_unless_invalid(database: Database) -> None:
    await ContactStore(database).save([IDA, JAN])
    async with database.read() as connection:
        found = await connection.execute(select(contact.c.email, contact.c.address_key).order_by(contact.c.key))
        assert [tuple(row) for row in found] == [
            ("Ida.Weiss@Example.org", "ida.weiss@example.org"),
            ("unbekannt", None),
        ]


async def test_saving_nothing_is_no_mistake(database: Database) -> None:
    assert await ContactStore(database).save([]) == ImportCounts()


async def test_learnt_attributes_are_fields_beside_the_built_in_ones(database: Database) -> None:
    store = ContactStore(database)
    await store.learn([Attribute("revenue", FieldType.NUMBER, "Umsatz"), Attribute("since", FieldType.DATE)])
    await store.learn([Attribute("revenue", FieldType.NUMBER, "Umsatz 2026")])
    assert await store.fields() == {**BUILT_IN_FIELDS, "revenue": FieldType.NUMBER, "since": FieldType.DATE}


async def test_an_attribute_keeps_its_type_because_values_and_criteria_depend_on_it(database: Database) -> None:
    store = ContactStore(database)
    await store.learn([Attribute("revenue", FieldType.NUMBER)])
    with pytest.raises(ImportFailed, match="another name"):
        await store.learn([Attribute("revenue", FieldType.TEXT)])


async def test_contacts_are_counted_and_sampled_by_a_condition(database: Database) -> None:
    store = ContactStore(database)
    await store.learn([Attribute("since", FieldType.DATE)])
    await store.save([JAN, IDA])
    customers = condition(where("since").lt(date(2021, 1, 1)), Vocabulary(await store.fields()))
    assert await store.count(customers) == 1
    [sample] = await store.sample(5, customers)
    assert sample["city"] == "Köln"
    assert sample["since"] == "2020-02-04"


async def _imported_at(database: Database) -> dict[str, datetime]:
    async with database.read() as connection:
        found = await connection.execute(select(contact.c.key, contact.c.imported_at))
        return {row.key: row.imported_at for row in found}
