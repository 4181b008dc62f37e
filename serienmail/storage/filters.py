"""Saved filters in the database."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from serienmail.domain import criteria
from serienmail.domain.errors import NotFound
from serienmail.domain.filters import Filter
from serienmail.storage.database import Database
from serienmail.storage.selection_tables import saved_filter


class FilterStore:
    """Filters by name. What they refer to is checked by who saves them, and again whenever one is used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, named: Filter) -> None:
        """Keep a filter, in place of the one that has its name."""
        row = {"name": named.name, "module": named.module, "definition": criteria.to_document(named.criterion)}
        statement = (sqlite.insert if self._database.is_sqlite else postgresql.insert)(saved_filter).values(row)
        changed = {name: statement.excluded[name] for name in ("module", "definition")}
        async with self._database.write() as connection:
            await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed))

    async def all(self) -> Sequence[Filter]:
        """All of them, by name."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(saved_filter).order_by(saved_filter.c.name))).all()
        return [Filter(row.name, criteria.from_document(row.definition), row.module) for row in rows]

    async def delete(self, name: str) -> None:
        """NotFound if there is none."""
        async with self._database.write() as connection:
            done = await connection.execute(delete(saved_filter).where(saved_filter.c.name == name))
        if not done.rowcount:
            raise NotFound(f"There is no filter '{name}'; 'serienmail filters list' shows those there are.")
