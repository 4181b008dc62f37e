"""Stored selections: orders name them by an id, so that no criterion's value enters a workflow's history."""

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from serienmail.domain.criteria import Criterion
from serienmail.domain.errors import NotFound
from serienmail.domain.mass_mail import EVERYONE
from serienmail.domain.selection import Selection
from serienmail.storage.database import Database
from serienmail.storage.tables import selection


class SelectionStore:
    """Selections under their content's hash; saving the same one twice keeps one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, chosen: Selection) -> str:
        """Keep a selection; its id."""
        if chosen.id == EVERYONE:
            return EVERYONE
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        new = insert(selection).values(id=chosen.id, definition=chosen.to_document())
        async with self._database.write() as connection:
            await connection.execute(new.on_conflict_do_nothing())
        return chosen.id

    async def criterion(self, selection_id: str) -> Criterion | None:
        """What a stored selection asks; None for everyone. NotFound if there is none of this id."""
        if selection_id == EVERYONE:
            return None
        async with self._database.read() as connection:
            query = select(selection.c.definition).where(selection.c.id == selection_id)
            found = (await connection.execute(query)).scalar_one_or_none()
        if found is None:
            raise NotFound(f"There is no stored selection '{selection_id}'; store it first, then order with its id.")
        return Selection.from_document(found).criterion
