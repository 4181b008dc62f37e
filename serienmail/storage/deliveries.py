"""The ledger as people read it: each recipient of each stage, with the reason in words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, func, literal_column, select, tuple_

from serienmail.domain.errors import InvalidOrder
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.states import DeliveryState
from serienmail.domain.statistics import Number
from serienmail.domain.suppression import ALL_TOPICS
from serienmail.storage.counting import counted_by
from serienmail.storage.database import Database
from serienmail.storage.rows import suppression_of
from serienmail.storage.tables import contact, delivery


@dataclass(frozen=True, slots=True)
class Story:
    """One row. seq: its place in the stage, as the Temporal UI shows it. contact: the CRM's own number; name: of the
    person, or else the company.

    why: an exclusion in words, with the key of the contact that a duplicate is of; or the server's reply.
    exclusion: the same without what stands behind it; None: not excluded.

    template: ``name@revision`` of what was sent. measured: it carried a pixel.
    attempts: hand-overs. message_id: by which the mail server's log names the mail; empty before the first.
    data_changed: the contact's, between two of them, so that not every copy of the mail says the same.
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
    attempts: int
    message_id: str
    name: str = ""
    exclusion: Exclusion | None = None
    data_changed: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Some of those whom a number counts. next: where the next page begins; None: there is none."""

    recipients: Sequence[Story]
    next: str | None


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
        query = _stories_of(mass_mail_id, stage).order_by(delivery.c.contact_id, delivery.c.stage).limit(limit)
        if state is not None:
            query = query.where(delivery.c.state == state)
        return await self._read(query)

    async def behind(
        self, mass_mail_id: str, number: Number, stage: int | None, exclusion: Exclusion | None, after: str, limit: int
    ) -> Page:
        """Those whom a number of the statistics counts, by stage and place; of one stage, or all.

        exclusion: only who is excluded for this reason. after: the page before's ``next``, else nothing; InvalidOrder
        for anything else.
        """
        place = tuple_(delivery.c.stage, delivery.c.seq)
        query = _stories_of(mass_mail_id, stage).where(counted_by(number), place > _place(after))
        if exclusion is not None:
            query = query.where(delivery.c.state == DeliveryState.EXCLUDED, delivery.c.reason == exclusion)
        found = await self._read(query.order_by(delivery.c.stage, delivery.c.seq).limit(limit + 1))
        page = found[:limit]
        return Page(page, f"{page[-1].stage}-{page[-1].seq}" if len(found) > limit else None)

    async def _read(self, query: Select[Any]) -> Sequence[Story]:
        async with self._database.read() as connection:
            return [_story(row) for row in (await connection.execute(query)).all()]


def _place(cursor: str) -> tuple[int, int]:
    known = re.fullmatch(r"([0-3])-([0-9]{1,9})", cursor or "0-0")
    if known is None:
        raise InvalidOrder("No page ends there; give what the last page calls 'next', or nothing for the first page.")
    return int(known[1]), int(known[2])


def _stories_of(mass_mail_id: str, stage: int | None) -> Select[Any]:
    query = (
        select(
            func.coalesce(contact.c.key, "").label("key"),
            func.coalesce(twin_contact.c.key, "").label("twin"),
            suppression_of(delivery.c.address_key, ALL_TOPICS).label("suppressed"),
            *(delivery.c[name] for name in _COLUMNS),
            *(contact.c[name] for name in _NAMES),
        )
        .select_from(delivery)
        .outerjoin(contact, contact.c.id == delivery.c.contact_id)
        .outerjoin(twin, _is_twin)
        .outerjoin(twin_contact, twin_contact.c.id == twin.c.contact_id)
        .where(delivery.c.mass_mail_id == mass_mail_id)
    )
    return query if stage is None else query.where(delivery.c.stage == stage)


_COLUMNS = (
    "stage", "seq", "state", "reason", "reply", "finished_at", "template", "tracked", "opened_at", "attempts",
    "message_id", "data_changed",
)  # fmt: skip
_NAMES = ("first_name", "last_name", "company")


twin, twin_contact = delivery.alias(), contact.alias()
_is_twin = and_(
    delivery.c.reason == Exclusion.DUPLICATE,
    *(twin.c[name] == delivery.c[name] for name in ("mass_mail_id", "stage", "address_key")),
    twin.c.state != literal_column("'excluded'"),  # as a parameter it would hide the index from SQLite
)
"""Who has a duplicate's address, and isn't excluded: one row at most, by the index ``delivery_once``."""


_DATA_CHANGED = "the contact's data changed between the tries"


def _why(row: Row[Any]) -> str:
    why = _reason(row)
    return "; ".join(filter(None, (why, _DATA_CHANGED))) if row.data_changed else why


def _reason(row: Row[Any]) -> str:
    """A reason with what stands behind it, as far as that is there still."""
    if not row.reason:
        return str(row.reply)
    match reason := Exclusion(row.reason):
        case Exclusion.DUPLICATE if row.twin:
            return f"duplicate of {row.twin}"
        case Exclusion.SUPPRESSED if row.suppressed:
            return f"{reason.words}: {row.suppressed.replace('_', ' ')}"
        case _:
            return reason.words


def _story(row: Row[Any]) -> Story:
    return Story(
        stage=row.stage,
        seq=row.seq,
        contact=row.key,
        state=DeliveryState(row.state),
        why=_why(row),
        finished_at=row.finished_at,
        template=row.template,
        measured=row.tracked,
        opened=row.opened_at is not None,
        name=" ".join(filter(None, (row.first_name, row.last_name))) or row.company or "",
        exclusion=Exclusion(row.reason) if row.reason else None,
        attempts=row.attempts,
        message_id=row.message_id,
        data_changed=row.data_changed,
    )
