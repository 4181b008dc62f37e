"""Work lists: static lists of records by the CRM's number, added to and taken from inside the database."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, func, insert, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from serienmail.domain.contact import CONTACTS, check_module, is_key
from serienmail.domain.errors import AlreadyExists, NotFound
from serienmail.domain.filters import check_name
from serienmail.storage.criteria import keys_on
from serienmail.storage.database import Database
from serienmail.storage.selection_tables import work_list, work_list_member
from serienmail.storage.suppressions import hold_off_erasures
from serienmail.storage.tables import contact

BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Listing:
    """A work list in numbers. gone: how many of its records aren't in the database any more."""

    name: str
    module: str
    records: int
    gone: int


@dataclass(frozen=True, slots=True)
class Changed:
    """What adding or removing did. unknown: keys that no record of the module has, or that weren't on the list."""

    records: int = 0
    unknown: tuple[str, ...] = ()


class WorkListStore:
    """Work lists by name. Conditions are over ``tables.contact``, as ``storage.criteria.condition`` makes them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert

    async def create(self, name: str, module: str = CONTACTS) -> None:
        """An empty list; AlreadyExists if there is one of this name."""
        check_name(name)
        check_module(module)
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(work_list).values(name=name, module=module))
        except IntegrityError:
            raise AlreadyExists(f"There is a work list '{name}' already; add to it, or choose another name.") from None

    async def module(self, name: str) -> str:
        """Whose records are on a list; NotFound if there is none of this name."""
        async with self._database.read() as connection:
            query = select(work_list.c.module).where(work_list.c.name == name)
            found: str | None = (await connection.execute(query)).scalar_one_or_none()
        if found is None:
            raise NotFound(f"There is no work list '{name}'; 'serienmail lists list' shows those there are.")
        return found

    async def all(self) -> Sequence[Listing]:
        """All lists that people named, by name."""
        known = and_(contact.c.module == work_list.c.module, contact.c.key == work_list_member.c.key)
        query = (
            select(
                work_list.c.name,
                work_list.c.module,
                func.count(work_list_member.c.key).label("keys"),
                func.count(contact.c.id).label("known"),
            )
            .outerjoin(work_list_member, work_list_member.c.list == work_list.c.name)
            .outerjoin(contact, known)
            .where(~work_list.c.name.contains("/"))  # those are fixed selections
            .group_by(work_list.c.name, work_list.c.module)
            .order_by(work_list.c.name)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [Listing(row.name, row.module, row.keys, row.keys - row.known) for row in rows]

    async def size(self, name: str) -> int:
        """How many records are on a list, also those that aren't in the database any more."""
        counted = select(func.count()).where(work_list_member.c.list == name)
        async with self._database.read() as connection:
            return int((await connection.execute(counted)).scalar_one())

    async def keys(self, name: str) -> Sequence[str]:
        """The CRM's number of every record on the list, in an order that stays."""
        async with self._database.read() as connection:
            keys: Sequence[str] = (await connection.execute(keys_on(name).order_by("key"))).scalars().all()
            return keys

    async def add(self, name: str, picked: ColumnElement[bool]) -> Changed:
        """Put the picked records on the list; how many are new on it."""
        members = select(literal(name), contact.c.key).where(picked)
        new = self._insert(work_list_member).from_select(["list", "key"], members).on_conflict_do_nothing()
        async with self._database.write() as connection:
            await hold_off_erasures(connection)
            return Changed((await connection.execute(new)).rowcount)

    async def add_keys(self, name: str, keys: Sequence[str], module: str) -> Changed:
        """Put the records with these keys on the list; how many are new on it, and which there aren't."""
        records, unknown = 0, [key for key in keys if not is_key(key)]
        for some in _batches(keys):
            these = and_(contact.c.module == module, contact.c.key.in_(some))
            async with self._database.read() as connection:
                known = set((await connection.execute(select(contact.c.key).where(these))).scalars())
            unknown += [key for key in some if key not in known]
            records += (await self.add(name, these)).records
        return Changed(records, tuple(unknown))

    async def remove(self, name: str, picked: ColumnElement[bool]) -> Changed:
        """Take the picked records from the list; how many were on it."""
        these = work_list_member.c.key.in_(select(contact.c.key).where(picked))
        async with self._database.write() as connection:
            gone = delete(work_list_member).where(work_list_member.c.list == name, these)
            return Changed((await connection.execute(gone)).rowcount)

    async def remove_keys(self, name: str, keys: Sequence[str]) -> Changed:
        """Take these keys from the list, also those without a record; how many were on it, and which weren't."""
        records, unknown = 0, [key for key in keys if not is_key(key)]
        for some in _batches(keys):
            on_it = and_(work_list_member.c.list == name, work_list_member.c.key.in_(some))
            async with self._database.write() as connection:
                known = set((await connection.execute(select(work_list_member.c.key).where(on_it))).scalars())
                await connection.execute(delete(work_list_member).where(on_it))
            unknown += [key for key in some if key not in known]
            records += len(known)
        return Changed(records, tuple(unknown))

    async def delete(self, name: str) -> None:
        """Forget a list; its records stay. NotFound if there is none."""
        await self.module(name)
        async with self._database.write() as connection:
            await connection.execute(delete(work_list_member).where(work_list_member.c.list == name))
            await connection.execute(delete(work_list).where(work_list.c.name == name))


def _batches(keys: Sequence[str]) -> Iterator[list[str]]:
    each_once = [key for key in dict.fromkeys(keys) if is_key(key)]
    return (each_once[start : start + BATCH] for start in range(0, len(each_once), BATCH))
