"""The ledger as people read it: each recipient of each stage, with the reason in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select

from serienmail.domain.exclusion import Exclusion
from serienmail.domain.states import DeliveryState
from serienmail.storage.database import Database
from serienmail.storage.tables import contact, delivery


@dataclass(frozen=True, slots=True)
class Story:
    """One row. seq: its place in the stage, as the Temporal UI shows it. contact: the CRM's own number; name: of the
    person, or else the company.

    why: an exclusion in words, or the server's reply.

    template: ``name@revision`` of what was sent. measured: it carried a pixel.
    """

    stage: int
    seq: int
    contact: str
    state: DeliveryState
    why: str
    finished_at: datetime | None
    template: str
    measured: bool
    opened: bool
    name: str = ""


class DeliveryList:
    """Reads; never writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stories(
        self,
        mass_mail_id: str,
        stage: int | None = None,
        state: DeliveryState | None = None,
        limit: int | None = None,
    ) -> Sequence[Story]:
        """The rows of a mass mail by recipient; of one stage, in one state, or all; so many at most."""
        query = (
            select(
                func.coalesce(contact.c.key, "").label("key"),
                *(delivery.c[name] for name in _COLUMNS),
                *(contact.c[name] for name in _NAMES),
            )
            .select_from(delivery)
            .outerjoin(contact, contact.c.id == delivery.c.contact_id)
            .where(delivery.c.mass_mail_id == mass_mail_id)
            .order_by(delivery.c.contact_id, delivery.c.stage)
            .limit(limit)
        )
        if stage is not None:
            query = query.where(delivery.c.stage == stage)
        if state is not None:
            query = query.where(delivery.c.state == state)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [_story(row) for row in rows]


_COLUMNS = ("stage", "seq", "state", "reason", "reply", "finished_at", "template", "tracked", "opened_at")
_NAMES = ("first_name", "last_name", "company")


def _story(row: Row[Any]) -> Story:
    return Story(
        stage=row.stage,
        seq=row.seq,
        contact=row.key,
        state=DeliveryState(row.state),
        why=Exclusion(row.reason).words if row.reason else row.reply,
        finished_at=row.finished_at,
        template=row.template,
        measured=row.tracked,
        opened=row.opened_at is not None,
        name=" ".join(filter(None, (row.first_name, row.last_name))) or row.company or "",
    )
