"""Activities in the CRM: mass mails people got, notes, tasks and calls."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, exists, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.activity import Activity, Kind
from serienmail.domain.contact import CONTACTS
from serienmail.domain.crm_record import CrmJob, Extent, Reminder
from serienmail.domain.states import DeliveryState
from serienmail.storage.crm_tables import activity
from serienmail.storage.database import Database
from serienmail.storage.rows import rows_of
from serienmail.storage.selections import SelectionStore
from serienmail.storage.suppressions import hold_off_erasures
from serienmail.storage.tables import contact, delivery

MOST_SHOWN = 1_000
BETWEEN = ","
"""User ids that one activity is assigned to."""
NOBODY = 0
"""In place of a contact's id."""


class ActivityStore:
    """What is beside the records."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._selections = SelectionStore(database)

    async def keep(self, job: CrmJob, now: datetime) -> int:
        """Write a stage's record, in one transaction in the database alone; how many activities are new.

        For those who have got the mail by now. What is kept already stays as it is.
        """
        linked = await self._selections.chosen(job.record.linked) if job.record.linked else None
        async with self._database.write() as connection:
            await hold_off_erasures(connection)
            entry = _mass_mail(job, now)
            kept = 0
            if job.record.activities is not Extent.NONE:
                kept += await insert_beside(connection, entry, _beside(job))
            if linked is not None:
                records = select(contact.c.id).where(linked.condition, _is_sent(job))
                kept += await insert_beside(connection, entry, records)
            if job.record.reminder and job.key.stage == 0:
                reminder = _reminder(job, job.record.reminder, now)
                kept += await insert_beside(connection, reminder, select(literal(NOBODY)))
            return kept

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


    async def counts(self, mass_mail_id: str) -> Mapping[Kind, int]:
        """How many of each kind there are of a mass mail, whatever wrote them."""
        by_kind = select(activity.c.kind, func.count().label("number")).where(activity.c.mass_mail_id == mass_mail_id)
        async with self._database.read() as connection:
            rows = await connection.execute(by_kind.group_by(activity.c.kind).order_by(activity.c.kind))
            return {Kind(row.kind): row.number for row in rows}


def _beside(job: CrmJob) -> Select[Any]:
    """The contacts who get an entry, or nobody in particular."""
    if job.record.activities is Extent.ONE:
        return select(literal(NOBODY)).where(_is_sent(job))
    return select(delivery.c.contact_id).where(_sent(job), delivery.c.contact_id != NOBODY)


def _sent(job: CrmJob) -> ColumnElement[bool]:
    return and_(rows_of(job.key), delivery.c.state == DeliveryState.SENT)


def _is_sent(job: CrmJob) -> ColumnElement[bool]:
    return exists().where(_sent(job))


async def insert_beside(connection: AsyncConnection, entry: Mapping[str, Any], beside: Select[Any]) -> int:
    """The same entry beside all of these; how many weren't there."""
    given = beside.subquery()
    same = [literal(value, activity.c[name].type).label(name) for name, value in entry.items()]
    rows = select(given.c[0], *same).where(given.c[0].is_not(None))  # SQLite reads ON CONFLICT as a join without WHERE
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = dialect.insert(activity).from_select(["contact_id", *entry], rows).on_conflict_do_nothing()
    return int((await connection.execute(new)).rowcount)


def _mass_mail(job: CrmJob, now: datetime) -> dict[str, Any]:
    return _entry(job, now) | {
        "origin": f"mass_mail/{job.key.mass_mail_id}/{job.key.stage}",
        "kind": Kind.MASS_MAIL.value,
        "subject": job.record.subject,
    }


def _reminder(job: CrmJob, reminder: Reminder, now: datetime) -> dict[str, Any]:
    return _entry(job, now) | {
        "origin": f"reminder/{job.key.mass_mail_id}",
        "kind": Kind.REMINDER.value,
        "subject": reminder.subject or job.record.subject,
        "due_at": now + reminder.after,
    }


def _entry(job: CrmJob, now: datetime) -> dict[str, Any]:
    return {
        "mass_mail_id": job.key.mass_mail_id,
        "stage": job.key.stage,
        "note": "",
        "type": "",
        "assigned": BETWEEN.join(job.assigned),
        "status": "",
        "priority": "",
        "created_at": now,
    }


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
