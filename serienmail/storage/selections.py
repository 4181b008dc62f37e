"""Stored selections: orders name them by an id, so that no criterion's value enters a workflow's history."""

from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import ColumnElement, Select, insert, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from serienmail.domain.contact import CONTACTS
from serienmail.domain.criteria import Criterion, InList
from serienmail.domain.errors import NotFound
from serienmail.domain.filters import Vocabulary
from serienmail.domain.mass_mail import EVERYONE
from serienmail.domain.selection import Selection
from serienmail.storage.contacts import ContactStore
from serienmail.storage.criteria import condition
from serienmail.storage.database import Database
from serienmail.storage.filters import FilterStore
from serienmail.storage.selection_tables import selection, work_list, work_list_member
from serienmail.storage.suppressions import hold_off_erasures
from serienmail.storage.tables import contact


@dataclass(frozen=True, slots=True)
class Chosen:
    """A selection as conditions over ``tables.contact``: who is in it, and who of these is left out, and why."""

    condition: ColumnElement[bool]
    ignored: ColumnElement[bool] | None = None
    removed: ColumnElement[bool] | None = None


class SelectionStore:
    """Selections under their content's hash; saving the same one twice keeps one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._contacts = ContactStore(database)
        self._filters = FilterStore(database)

    async def vocabulary(self, module: str = CONTACTS) -> Vocabulary:
        """What criteria on a module's records may name now."""
        async with self._database.read() as connection:
            lists = {row.name: row.module for row in await connection.execute(select(work_list))}
        filters = {found.name: found for found in await self._filters.all()}
        return Vocabulary(await self._contacts.fields(module), module, filters, lists)

    async def condition(self, criterion: Criterion | None, module: str = CONTACTS) -> ColumnElement[bool]:
        """Whom a criterion picks of a module's records now; InvalidOrder if it can't be ``resolved``."""
        return condition(criterion, await self.vocabulary(module))

    async def save(self, chosen: Selection) -> str:
        """Keep a selection; its id."""
        if chosen.id == EVERYONE:
            return EVERYONE
        dialect = sqlite.insert if self._database.is_sqlite else postgresql.insert
        new = dialect(selection).values(id=chosen.id, definition=chosen.to_document())
        async with self._database.write() as connection:
            await connection.execute(new.on_conflict_do_nothing())
        return chosen.id

    async def get(self, selection_id: str) -> Selection:
        """A stored selection; NotFound if there is none of this id."""
        if selection_id == EVERYONE:
            return Selection()
        async with self._database.read() as connection:
            query = select(selection.c.definition).where(selection.c.id == selection_id)
            found = (await connection.execute(query)).scalar_one_or_none()
        if found is None:
            raise NotFound(f"There is no stored selection '{selection_id}'; store it first, then order with its id.")
        return Selection.from_document(found)

    async def chosen(self, selection_id: str) -> Chosen:
        """Whom a stored selection picks now, its filters and lists as they are now; InvalidOrder if one is gone."""
        asked = await self.get(selection_id)
        words = await self.vocabulary(asked.module)
        return Chosen(
            condition(asked.criterion, words),
            ignored=condition(asked.ignore, words) if asked.ignore else None,
            removed=condition(asked.removed, words) if asked.removed else None,
        )

    async def fix(self, selection_id: str) -> str:
        """Keep whom a selection picks at this moment, whatever becomes of filters, lists and fields; the fixed id."""
        asked, chosen = await self.get(selection_id), await self.chosen(selection_id)
        lists = {name: f"fixed/{uuid4().hex}" for name in ("criterion", "ignore", "removed")}
        async with self._database.write() as connection:
            await hold_off_erasures(connection)
            for name, picked in zip(lists, (chosen.condition, chosen.ignored, chosen.removed), strict=True):
                if picked is not None:
                    await connection.execute(insert(work_list).values(name=lists[name], module=asked.module))
                    members = _members(lists[name], chosen.condition & picked)
                    await connection.execute(insert(work_list_member).from_select(["list", "key"], members))
        ignore, removed = asked.ignore and InList(lists["ignore"]), asked.removed and InList(lists["removed"])
        return await self.save(Selection(InList(lists["criterion"]), ignore, removed, asked.module))


def _members(name: str, picked: ColumnElement[bool]) -> Select[tuple[str, str]]:
    return select(literal(name), contact.c.key).where(picked)
