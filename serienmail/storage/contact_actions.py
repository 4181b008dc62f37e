"""Notes and tasks for a group of records, and templates of the actions that create them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.dialects import postgresql, sqlite

from serienmail.domain.activity import Kind, TaskStatus
from serienmail.domain.contact_action import ContactAction, check_group
from serienmail.domain.errors import NotFound
from serienmail.storage.activities import insert_beside
from serienmail.storage.crm_tables import contact_action
from serienmail.storage.database import Database
from serienmail.storage.selections import SelectionStore
from serienmail.storage.suppressions import hold_off_erasures
from serienmail.storage.tables import contact


class ContactActionStore:
    """Creates what actions order, in one transaction, once for each action's id."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._selections = SelectionStore(database)

    async def people(self, action: ContactAction) -> int:
        """How many records it is for now. NotFound if the selection isn't stored."""
        counted = select(func.count()).select_from(contact).where(await self._group(action))
        async with self._database.read() as connection:
            return int((await connection.execute(counted)).scalar_one())

    async def create(self, action: ContactAction, now: datetime) -> int:
        """How many notes and tasks are new. InvalidOrder if the group is empty, or too large for an action."""
        group = await self._group(action)
        async with self._database.write() as connection:
            await hold_off_erasures(connection)
            size = await connection.execute(select(func.count()).select_from(contact).where(group))
            check_group(int(size.scalar_one()))
            beside = select(contact.c.id).where(group)
            return sum([await insert_beside(connection, entry, beside) for entry in _entries(action, now)])

    async def save(self, name: str, text: str) -> None:
        """Keep a template, in place of the one that has its name."""
        new = (sqlite.insert if self._database.is_sqlite else postgresql.insert)(contact_action)
        kept = new.values(name=name, text=text)
        async with self._database.write() as connection:
            changed = kept.on_conflict_do_update(index_elements=["name"], set_={"text": new.excluded.text})
            await connection.execute(changed)

    async def saved(self, name: str) -> str:
        """A template's text; NotFound if there is none of this name."""
        async with self._database.read() as connection:
            asked = select(contact_action.c.text).where(contact_action.c.name == name)
            text = (await connection.execute(asked)).scalar_one_or_none()
        if text is None:
            raise NotFound(f"There is no action '{name}'; 'serienmail action list' shows those there are.")
        return str(text)

    async def names(self) -> Sequence[str]:
        """Of all templates."""
        async with self._database.read() as connection:
            found = await connection.execute(select(contact_action.c.name).order_by(contact_action.c.name))
            return list(found.scalars())

    async def _group(self, action: ContactAction) -> ColumnElement[bool]:
        chosen = await self._selections.chosen(action.selection)
        left_out = [~part for part in (chosen.ignored, chosen.removed) if part is not None]
        return and_(chosen.condition, *left_out)


def _entries(action: ContactAction, now: datetime) -> Iterator[dict[str, Any]]:
    common = {"mass_mail_id": "", "stage": 0, "status": "", "priority": "", "created_at": now}
    if note := action.note:
        yield common | {
            "origin": f"action/{action.id}/note",
            "kind": Kind.NOTE.value,
            "type": note.type,
            "subject": note.subject,
            "note": note.text,
            "assigned": action.by,
        }
    if task := action.task:
        starts_at = task.starts_at or now
        yield common | {
            "origin": f"action/{action.id}/task",
            "kind": Kind.TASK.value,
            "type": task.type,
            "subject": task.subject,
            "note": task.text,
            "assigned": task.assignee or action.by,
            "status": TaskStatus.NOT_STARTED.value,
            "priority": task.priority.value,
            "starts_at": starts_at,
            "due_at": task.ends_at or starts_at,
        }
