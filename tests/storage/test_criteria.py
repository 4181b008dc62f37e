"""The databases pick exactly the contacts that ``matches`` picks."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql

from serienmail.domain.contact import BUILT_IN_FIELDS, CONTACTS, FieldType, Value
from serienmail.domain.criteria import AllOf, AnyOf, Comparison, Criterion, InList, Not, Operator, matches, where
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.filters import Vocabulary
from serienmail.storage.contacts import ContactRow, ContactStore
from serienmail.storage.criteria import condition
from serienmail.storage.database import Database
from serienmail.storage.selection_tables import work_list_member
from serienmail.storage.tables import contact
from serienmail.storage.work_lists import WorkListStore

FIELDS = {
    **BUILT_IN_FIELDS,
    "industry": FieldType.TEXT,
    "revenue": FieldType.NUMBER,
    "since": FieldType.DATE,
    "vip": FieldType.BOOLEAN,
}
WORDS = Vocabulary(FIELDS, lists={"fair": CONTACTS, "lost": CONTACTS})

# Few and awkward characters, so that values meet: case, umlauts, wildcards, quotes, beyond the BMP.
texts = st.text(alphabet="aAäÄbBzZé_%\\'\" ß😀", max_size=3)
numbers = st.integers(-3, 3) | st.integers(-(10**15) + 1, 10**15 - 1) | st.integers(-300, 300).map(lambda n: n / 100)
dates = st.dates(date(2019, 12, 30), date(2020, 1, 2)) | st.dates()
values: dict[FieldType, st.SearchStrategy[str | int | float | bool | date]] = {
    FieldType.TEXT: texts.filter(bool),
    FieldType.NUMBER: numbers,
    FieldType.DATE: dates.map(date.isoformat),
    FieldType.BOOLEAN: st.booleans(),
}
compared = st.sampled_from(["city", "opt_in", "industry", "revenue", "since", "vip"])
ordering = [Operator.EQ, Operator.NE, Operator.LT, Operator.LE, Operator.GT, Operator.GE]


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    name = draw(compared)
    kind = FIELDS[name]
    value = values[kind]
    possible = [st.builds(Comparison, st.just(name), st.sampled_from([Operator.EQ, Operator.NE]), value)]
    possible.append(st.just(where(name).empty()))
    if kind is not FieldType.BOOLEAN:
        several = st.lists(value, min_size=1, max_size=3).map(tuple)
        possible.append(st.builds(Comparison, st.just(name), st.sampled_from(ordering), value))
        possible.append(st.builds(Comparison, st.just(name), st.just(Operator.IN), several))
    if kind is FieldType.TEXT:
        parts = st.sampled_from([Operator.CONTAINS, Operator.STARTS_WITH])
        possible.append(st.builds(Comparison, st.just(name), parts, value))
    return draw(st.one_of(possible))


def combinations(parts: st.SearchStrategy[Criterion]) -> st.SearchStrategy[Criterion]:
    several = st.lists(parts, min_size=1, max_size=3).map(tuple)
    return st.builds(AllOf, several) | st.builds(AnyOf, several) | st.builds(Not, parts)


lists = st.sampled_from([InList("fair"), InList("lost")])
criteria: st.SearchStrategy[Criterion] = st.recursive(comparisons() | lists, combinations, max_leaves=5)
attributes: st.SearchStrategy[dict[str, Value]] = st.fixed_dictionaries(
    {},
    optional={
        "industry": texts | st.none(),
        "revenue": numbers | st.none(),
        "since": dates | st.none(),
        "vip": st.booleans() | st.none(),
    },
)
contacts = st.lists(
    st.builds(ContactRow, st.uuids().map(str), city=texts, opt_in=st.booleans(), attributes=attributes),
    min_size=1,
    max_size=5,
    unique_by=lambda row: row.key,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=contacts, asked=st.lists(criteria, min_size=1, max_size=6), listed=st.sets(st.integers(0, 4)))
async def test_both_databases_pick_whom_matches_picks(
    database: Database, rows: Sequence[ContactRow], asked: Sequence[Criterion], listed: set[int]
) -> None:
    on_list = {"fair": {row.key for n, row in enumerate(rows) if n in listed}, "lost": set[str]()}
    async with database.write() as connection:
        await connection.execute(delete(contact))
        await connection.execute(delete(work_list_member))
    await ContactStore(database).save(rows)
    await ContactStore(database).save([replace(row, city="Ulm") for row in rows], module="lead")
    await WorkListStore(database).add_keys("fair", list(on_list["fair"]), CONTACTS)
    async with database.read() as connection:
        for criterion in asked:
            picked = await connection.execute(select(contact.c.key).where(condition(criterion, WORDS)))
            assert sorted(picked.scalars()) == sorted(
                row.key for row in rows if matches(criterion, _fields(row), on_list)
            )


def _fields(row: ContactRow) -> dict[str, Value]:
    return {"key": row.key, "city": row.city, "opt_in": row.opt_in, **row.attributes}


def test_postgresql_orders_texts_by_code_points_whatever_its_language() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy declares none
    sql = condition(where("city").lt("a") & where("industry").lt("a"), WORDS).compile(dialect=dialect)
    assert str(sql).count('COLLATE "C") <') == 2


def test_a_criterion_that_makes_no_sense_does_not_reach_the_database() -> None:
    with pytest.raises(InvalidOrder, match="industry"):
        condition(where("industri").empty(), WORDS)


async def test_numbers_beyond_32_bits_can_be_asked_for(database: Database) -> None:
    await ContactStore(database).save([ContactRow(key="1", attributes={"revenue": 2.0**40})])
    async with database.read() as connection:
        for number in (2**31, 2**40):
            asked = select(contact.c.key).where(condition(where("revenue").ge(number), WORDS))
            assert list((await connection.execute(asked)).scalars()) == ["1"]
