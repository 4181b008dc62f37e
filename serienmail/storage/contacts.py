"""Contacts, and records of other modules, as the CRM last exported them, and the free attributes learnt on the way."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, select, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.address import address_key
from serienmail.domain.consent import Consent, changed_answers
from serienmail.domain.contact import BUILT_IN_FIELDS, CONTACTS, FieldType, Value, check_module
from serienmail.domain.errors import ImportFailed
from serienmail.domain.near_duplicates import Person
from serienmail.domain.suppression import AddressHash
from serienmail.storage.consents import record_consents
from serienmail.storage.database import Database
from serienmail.storage.suppressions import hold_off_erasures, suppress_erased
from serienmail.storage.tables import contact, contact_address, contact_field


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A contact to be saved. other_addresses: keys of addresses that no mail goes to (``domain.address.preferred``)."""

    key: str
    salutation: str = ""
    title: str = ""
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    email: str = ""
    postcode: str = ""
    city: str = ""
    language: str = ""
    owner: str = ""
    time_zone: str = ""
    opt_in: bool = False
    tracking: bool = False
    attributes: Mapping[str, Value] = field(default_factory=dict)
    other_addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attribute:
    """A free attribute. label: the column's heading in the CRM's export."""

    name: str
    type: FieldType
    label: str = ""


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What saving did to the stored contacts."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0

    def __add__(self, other: "ImportCounts") -> "ImportCounts":
        return ImportCounts(self.added + other.added, self.changed + other.changed, self.unchanged + other.unchanged)


class ContactStore:
    """The contacts in the database.

    address_hash: knows the addresses of erased people again; None if nobody was ever erased there.
    """

    def __init__(self, database: Database, address_hash: AddressHash | None = None) -> None:
        self._database = database
        self._hash = address_hash
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert

    async def fields(self, module: str = CONTACTS) -> dict[str, FieldType]:
        """Every field of a module's records, built in and learnt, with its type."""
        query = select(contact_field.c.name, contact_field.c.type).where(contact_field.c.module == module)
        async with self._database.read() as connection:
            learnt = await connection.execute(query.order_by(contact_field.c.name))
            return {**BUILT_IN_FIELDS, **{name: FieldType(kind) for name, kind in learnt}}

    async def modules(self) -> list[str]:
        """The modules that have records, by name."""
        async with self._database.read() as connection:
            found = await connection.execute(select(contact.c.module).distinct().order_by(contact.c.module))
            return list(found.scalars())

    async def learn(self, attributes: Iterable[Attribute], module: str = CONTACTS) -> None:
        """Remember a module's free attributes; their values are saved with the records.

        ImportFailed if one is known with another type: the stored values, and the criteria on them, would be lost.
        """
        check_module(module)
        known = await self.fields(module)
        rows = []
        for attribute in attributes:
            if (kind := known.get(attribute.name, attribute.type)) is not attribute.type:
                raise ImportFailed(
                    f"the attribute '{attribute.name}' is a {kind} since an earlier import and can't become"
                    f" a {attribute.type}; map the column to another name."
                )
            about = {"name": attribute.name, "type": attribute.type.value, "label": attribute.label}
            rows.append({"module": module, **about})
        if rows:
            statement = self._insert(contact_field)
            label = {"label": statement.excluded.label}
            update = statement.on_conflict_do_update(index_elements=["module", "name"], set_=label)
            async with self._database.write() as connection:
                await connection.execute(update, rows)

    async def save(
        self, rows: Sequence[ContactRow], given: Collection[str] | None = None, module: str = CONTACTS
    ) -> ImportCounts:
        """Add and update a module's records by their key, in one transaction; best up to some ten thousand at a time.

        given: the built-in fields that the rows speak of; the others, and attributes they don't have, stay as they
        were. None: all. Saving the same again changes nothing, not even ``imported_at``. No key may occur twice.
        """
        values = await asyncio.to_thread(lambda: [_stored(row, module) for row in rows])
        async with self._database.write() as connection:
            await hold_off_erasures(connection)
            before = await _by_key(connection, module, [value["key"] for value in values])
            if given is not None:
                values = [_merged(before.get(value["key"]), value, given) for value in values]
            news = [value for value in values if before.get(value["key"]) != value]
            now = datetime.now(UTC)
            await self._upsert(connection, news, now)
            await _keep_addresses(connection, module, before, news)
            await record_consents(connection, list(_answers(before, news, now)))
            if self._hash:
                addresses = [key for value in news for key in (value["address_key"], *value[_OTHERS]) if key]
                await suppress_erased(connection, addresses, self._hash, now)
        added = len(values) - len(before)
        return ImportCounts(added, len(news) - added, len(values) - len(news))

    async def _upsert(self, connection: AsyncConnection, values: list[dict[str, Any]], now: datetime) -> None:
        if not values:
            return
        statement = self._insert(contact)
        values = [{name: value for name, value in row.items() if name != _OTHERS} for row in values]
        columns = [name for name in (*values[0], "imported_at") if name not in ("module", "key")]
        update = {name: statement.excluded[name] for name in columns}
        upsert = statement.on_conflict_do_update(index_elements=["module", "key"], set_=update)
        in_order = sorted(values, key=lambda value: value["key"])  # else two imports at once deadlock on PostgreSQL
        await connection.execute(upsert, [{**value, "imported_at": now} for value in in_order])

    async def count(self, condition: ColumnElement[bool] | None = None) -> int:
        """How many contacts there are, or are picked by a condition (``storage.criteria.condition``)."""
        statement = select(func.count()).select_from(contact).where(true() if condition is None else condition)
        async with self._database.read() as connection:
            return (await connection.execute(statement)).scalar_one()

    async def people(self, condition: ColumnElement[bool]) -> list[Person]:
        """What near-duplicates among the picked records are found by, ordered by postcode."""
        columns = [contact.c[name] for name in ("key", "first_name", "last_name", "company", "postcode", "address_key")]
        query = select(*columns).where(condition).order_by(contact.c.postcode, contact.c.id)
        async with self._database.read() as connection:
            return [
                Person(row.key, f"{row.first_name} {row.last_name} {row.company}", row.postcode, row.address_key)
                for row in await connection.execute(query)
            ]

    async def find(self, key: str, module: str = CONTACTS) -> dict[str, Value] | None:
        """One record's fields by name, as ``sample`` gives them; None if there is none."""
        found = await self.sample(1, (contact.c.module == module) & (contact.c.key == key))
        return found[0] if found else None

    async def sample(self, limit: int, condition: ColumnElement[bool] | None = None) -> list[dict[str, Value]]:
        """The first contacts by import, each as its fields by name, free attributes included; dates are ISO text."""
        statement = select(*(contact.c[name] for name in BUILT_IN_FIELDS), contact.c.attributes)
        statement = statement.where(true() if condition is None else condition).order_by(contact.c.id).limit(limit)
        async with self._database.read() as connection:
            found = (await connection.execute(statement)).mappings()
            return [{**row["attributes"], **{name: row[name] for name in BUILT_IN_FIELDS}} for row in found]


def _merged(before: dict[str, Any] | None, value: dict[str, Any], given: Collection[str]) -> dict[str, Any]:
    """A file with fewer columns than the last one must not empty the others."""
    if before is None:
        return value
    changed = {name: value[name] for name in given}
    if "email" in given:
        changed |= {name: value[name] for name in ("address_key", _OTHERS)}
    return {**before, **changed, "attributes": {**before["attributes"], **value["attributes"]}}


def _answers(
    before: Mapping[str, Mapping[str, Any]], news: Iterable[Mapping[str, Any]], now: datetime
) -> Iterator[Consent]:
    """What the CRM's export says about people's consent, where it says something new."""
    for value in news:
        for purpose, given in changed_answers(before.get(value["key"]), value):
            yield Consent(
                module=value["module"],
                contact_key=value["key"],
                address_key=value["address_key"],
                purpose=purpose,
                given=given,
                at=now,
                source="import",
            )


_OTHERS = "other_addresses"  # in a table of their own
_STORED = ("module", *BUILT_IN_FIELDS, "address_key", "attributes")


def _stored(row: ContactRow, module: str) -> dict[str, Any]:
    values = {"module": module} | {name: getattr(row, name) for name in BUILT_IN_FIELDS}
    attributes = {
        name: value.isoformat() if isinstance(value, date) else value for name, value in row.attributes.items()
    }
    email = row.email.strip()
    own = {"email": email, "address_key": address_key(email), "attributes": attributes}
    return values | own | {_OTHERS: tuple(sorted(row.other_addresses))}


async def _by_key(connection: AsyncConnection, module: str, keys: list[str]) -> dict[str, dict[str, Any]]:
    these = and_(contact.c.module == module, contact.c.key.in_(keys))
    found = await connection.execute(select(*(contact.c[name] for name in _STORED)).where(these))
    stored = {row["key"]: {**row, _OTHERS: ()} for row in found.mappings()}
    others = select(contact.c.key, contact_address.c.address_key).where(these)
    others = others.join(contact_address, contact_address.c.contact_id == contact.c.id)
    for row in await connection.execute(others.order_by(contact_address.c.address_key)):
        stored[row.key][_OTHERS] += (row.address_key,)
    return stored


async def _keep_addresses(
    connection: AsyncConnection, module: str, before: Mapping[str, Any], news: Iterable[Mapping[str, Any]]
) -> None:
    """The other addresses of those who have some, or had."""
    others = {value["key"]: value[_OTHERS] for value in news}
    changed = [key for key, now in others.items() if now != (before[key][_OTHERS] if key in before else ())]
    if not changed:
        return
    ids = select(contact.c.id, contact.c.key).where(contact.c.module == module, contact.c.key.in_(changed))
    rows = (await connection.execute(ids)).all()
    gone = delete(contact_address).where(contact_address.c.contact_id.in_([row.id for row in rows]))
    await connection.execute(gone)
    if new := [{"contact_id": row.id, "address_key": key} for row in rows for key in others[row.key]]:
        await connection.execute(insert(contact_address), new)
