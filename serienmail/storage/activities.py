"""Activities in the CRM: mass mails people got, notes, tasks and calls."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, select

from serienmail.domain.activity import Activity, Kind
from serienmail.domain.contact import CONTACTS
from serienmail.storage.crm_tables import activity
from serienmail.storage.database import Database
from serienmail.storage.tables import contact

MOST_SHOWN = 1_000
BETWEEN = ","
"""User ids that one activity is assigned to."""


class ActivityStore:
    """What is beside the records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self,
        *,
        mass_mail_id: str | None = None,
        contact_key: str | None = None,
        module: str = CONTACTS,
        kind: Kind | None = None,
        most: int = MOST_SHOWN,
    ) -> Sequence[Activity]:
        """The newest first: of a mass mail, of a record by its key, of a kind; of all if nothing is said."""
        asked = select(activity, contact.c.key.label("contact"), contact.c.module)
        asked = asked.outerjoin(contact, contact.c.id == activity.c.contact_id)
        if mass_mail_id is not None:
            asked = asked.where(activity.c.mass_mail_id == mass_mail_id)
        if contact_key is not None:
            asked = asked.where(contact.c.module == module, contact.c.key == contact_key)
        if kind is not None:
            asked = asked.where(activity.c.kind == kind)
        async with self._database.read() as connection:
            rows = await connection.execute(asked.order_by(activity.c.id.desc()).limit(most))
            return [_activity(row) for row in rows.mappings()]


_AS_STORED = (
    "subject", "created_at", "mass_mail_id", "stage", "note", "type", "status", "priority", "starts_at", "due_at",
)  # fmt: skip


def _activity(row: RowMapping | Mapping[str, Any]) -> Activity:
    return Activity(
        kind=Kind(row["kind"]),
        module=row["module"] or "",
        contact=row["contact"] or "",
        assigned=tuple(filter(None, row["assigned"].split(BETWEEN))),
        **{name: row[name] for name in _AS_STORED},
    )
