"""Orders, and what their workflows last said about themselves: what lists and folders show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import Row, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from serienmail.domain.errors import AlreadyExists, NotFound
from serienmail.domain.mass_mail import MassMail
from serienmail.domain.states import MassMailState
from serienmail.domain.status import Status
from serienmail.storage.database import Database
from serienmail.storage.tables import mass_mail, stage

_ORDER = TypeAdapter(MassMail)


@dataclass(frozen=True, slots=True)
class Listed:
    """A mass mail in a list.

    version: of what its workflow said; grows with each change. epoch: the newest start of sending of any stage.
    """

    order: MassMail
    number: int
    state: MassMailState
    reason: str
    scheduled_at: datetime | None
    created_at: datetime
    version: int
    epoch: int


class MassMailStore:
    """Mass mails by id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, order: MassMail, now: datetime) -> None:
        """Keep a new order; AlreadyExists if another one has its id. The same one again changes nothing."""
        number = select(func.coalesce(func.max(mass_mail.c.number), 0) + 1).scalar_subquery()
        row = {
            "id": order.id,
            "number": number,
            "name": order.name,
            "created_by": order.created_by,
            "order": _ORDER.dump_python(order, mode="json"),
            "state": MassMailState.WAITING_FOR_PROCESSING,
            "scheduled_at": order.due,
            "created_at": now,
        }
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(mass_mail).values(row))
        except IntegrityError:
            found = await self.find(order.id)
            if found is None:
                return await self.create(order, now)  # two orders at once took the same number
            if found.order == order and found.version == 0:
                return None  # the answer to the first try was lost
            raise AlreadyExists(
                f"There is a mass mail '{order.id}' already; choose another id, or edit and restart that one."
            ) from None

    async def record(self, said: Status) -> None:
        """Keep what a workflow says; a version older than the kept one changes nothing."""
        values = {
            "name": said.order.name,
            "order": _ORDER.dump_python(said.order, mode="json"),
            "state": said.state,
            "reason": said.reason,
            "scheduled_at": said.scheduled_at,
            "version": said.version,
        }
        newer = update(mass_mail).where(mass_mail.c.id == said.order.id, mass_mail.c.version < said.version)
        async with self._database.write() as connection:
            await connection.execute(newer.values(values))

    async def find(self, mass_mail_id: str) -> Listed | None:
        """One, or None."""
        async with self._database.read() as connection:
            row = (await connection.execute(_listed().where(mass_mail.c.id == mass_mail_id))).first()
        return _from_row(row) if row else None

    async def get(self, mass_mail_id: str) -> Listed:
        """One; NotFound if there is none."""
        found = await self.find(mass_mail_id)
        if found is None:
            raise NotFound(f"There is no mass mail '{mass_mail_id}'; 'serienmail list' shows those there are.")
        return found

    async def all(self) -> Sequence[Listed]:
        """All of them, the newest first."""
        async with self._database.read() as connection:
            rows = (await connection.execute(_listed().order_by(mass_mail.c.created_at.desc()))).all()
        return [_from_row(row) for row in rows]


def _listed() -> Select[tuple[object, ...]]:
    epoch = select(func.max(stage.c.epoch)).where(stage.c.mass_mail_id == mass_mail.c.id).scalar_subquery()
    return select(mass_mail, func.coalesce(epoch, 0).label("epoch"))


def _from_row(row: Row[tuple[object, ...]]) -> Listed:
    return Listed(
        order=_ORDER.validate_python(row.order),
        number=row.number,
        state=MassMailState(row.state),
        reason=row.reason,
        scheduled_at=row.scheduled_at,
        created_at=row.created_at,
        version=row.version,
        epoch=row.epoch,
    )
