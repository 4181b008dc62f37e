"""Orders, and what their workflows last said about themselves: what lists and folders show."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import Row, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from serienmail.domain.audit import AuditRecord
from serienmail.domain.errors import AlreadyExists, NotFound
from serienmail.domain.mass_mail import MassMail
from serienmail.domain.states import MassMailState
from serienmail.domain.status import Status
from serienmail.storage.audit import record_commands
from serienmail.storage.database import Database
from serienmail.storage.tables import mass_mail, stage

_STATUS = TypeAdapter(Status)


@dataclass(frozen=True, slots=True)
class Listed:
    """A mass mail in a list, with what its workflow said last.

    number: short, for signed links. epoch: the newest start of sending of any stage. snapshot: the newest loading of
    its recipients.
    """

    status: Status
    number: int
    created_at: datetime
    epoch: int
    snapshot: int

    @property
    def order(self) -> MassMail:
        """As it was last edited."""
        return self.status.order

    @property
    def state(self) -> MassMailState:
        """Where it is in its life."""
        return self.status.state


class MassMailStore:
    """Mass mails by id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, order: MassMail, now: datetime) -> None:
        """Keep a new order; AlreadyExists if another one has its id. The same one again changes nothing."""
        number = select(func.coalesce(func.max(mass_mail.c.number), 0) + 1).scalar_subquery()
        status = Status(order=order, state=MassMailState.WAITING_FOR_PROCESSING)
        row = {"id": order.id, "number": number, "created_by": order.created_by, "created_at": now}
        row |= {"topic": order.topic, **_said(status)}
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(mass_mail).values(row))
                await record_commands(connection, [_start(order, now)])
        except IntegrityError:
            found = await self.find(order.id)
            if found is None:
                return await self.create(order, now)  # two orders at once took the same number
            if found.order == order and found.status.version == 0:
                return None  # the answer to the first try was lost
            raise _taken(order.id) from None

    async def require_free(self, mass_mail_id: str) -> None:
        """AlreadyExists if there is one of this id, unless it is only being started: ``create`` may be tried again."""
        found = await self.find(mass_mail_id)
        if found is not None and found.status.version > 0:
            raise _taken(mass_mail_id)

    async def record(self, said: Status) -> None:
        """Keep what a workflow says, with its records; a version older than the kept one changes only these."""
        newer = update(mass_mail).where(mass_mail.c.id == said.order.id, mass_mail.c.version < said.version)
        async with self._database.write() as connection:
            await connection.execute(newer.values(_said(said)))
            await record_commands(connection, said.records)

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


def _taken(mass_mail_id: str) -> AlreadyExists:
    return AlreadyExists(
        f"There is a mass mail '{mass_mail_id}' already; choose another id, or edit and restart that one."
    )


def _start(order: MassMail, now: datetime) -> AuditRecord:
    after = {"template": order.template, "selection": order.selection, "due": order.due}
    return AuditRecord(at=now, by=order.created_by, act="start", about=order.id, after=after)


def _said(status: Status) -> dict[str, object]:
    return {
        "name": status.order.name,
        "state": status.state,
        "version": status.version,
        "status": _STATUS.dump_python(replace(status, records=()), mode="json"),
    }


def _listed() -> Select[tuple[object, ...]]:
    of_it = stage.c.mass_mail_id == mass_mail.c.id
    newest = [
        func.coalesce(select(func.max(column)).where(of_it).scalar_subquery(), 0).label(column.name)
        for column in (stage.c.epoch, stage.c.revision)
    ]
    return select(mass_mail, *newest)


def _from_row(row: Row[tuple[object, ...]]) -> Listed:
    return Listed(
        status=_STATUS.validate_python(row.status),
        number=row.number,
        created_at=row.created_at,
        epoch=row.epoch,
        snapshot=row.revision,
    )
