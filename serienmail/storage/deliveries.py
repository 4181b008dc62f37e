"""The ledger as people read it: each recipient of each stage, with the reason in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from serienmail.domain.exclusion import Exclusion
from serienmail.domain.states import DeliveryState
from serienmail.storage.database import Database
from serienmail.storage.tables import contact, delivery


@dataclass(frozen=True, slots=True)
class Story:
    """One row. contact: the CRM's own number; why: an exclusion in words, or the server's reply."""

    contact: str
    stage: int
    state: DeliveryState
    why: str
    finished_at: datetime | None


class DeliveryList:
    """Reads; never writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stories(self, mass_mail_id: str) -> Sequence[Story]:
        """All stages of a mass mail, by recipient."""
        query = (
            select(
                func.coalesce(contact.c.key, "").label("key"),
                *(delivery.c[name] for name in ("stage", "state", "reason", "reply", "finished_at")),
            )
            .select_from(delivery)
            .outerjoin(contact, contact.c.id == delivery.c.contact_id)
            .where(delivery.c.mass_mail_id == mass_mail_id)
            .order_by(delivery.c.contact_id, delivery.c.stage)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [
            Story(row.key, row.stage, DeliveryState(row.state), _why(row.reason, row.reply), row.finished_at)
            for row in rows
        ]


def _why(reason: str, reply: str) -> str:
    return Exclusion(reason).words if reason else reply
