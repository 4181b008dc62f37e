"""Claims: the committed right to hand over one mail."""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Any

from sqlalchemy import (
    CTE,
    Boolean,
    ColumnElement,
    FromClause,
    Integer,
    Subquery,
    Text,
    Update,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    not_,
    null,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from serienmail.domain.delivery import Claimed, StageKey
from serienmail.domain.shaping import NotNow
from serienmail.domain.states import DeliveryState
from serienmail.storage.given import Given, OneRow, Rows, RowsUpdate, as_text, given_rows
from serienmail.storage.loading import merge_fields
from serienmail.storage.rows import same_row, stage_row, suppression_of
from serienmail.storage.second_look import look_again
from serienmail.storage.tables import UtcDateTime, contact, delivery, mass_mail, stage
from serienmail.storage.wanted import Wanted, by_slice, claimable


class NotClaimed(Enum):
    """Why there is no claim."""

    ROW_TAKEN = auto()  # by somebody else, or it was excluded: the slice's next row may be free
    STAGE_CLOSED = auto()  # or a newer epoch's: none of the slice's rows can be claimed any more


Answers = dict[str, Claimed | NotClaimed | NotNow]
"""By token."""


class Claims:
    """Claims rows, within transactions that its caller commits."""

    def __init__(self, is_sqlite: bool) -> None:
        self._is_sqlite = is_sqlite
        self.update = RowsUpdate(_take_as_read(is_sqlite), _WANTED, delivery.c.token, is_sqlite)

    def given(self, wanted: Sequence[Wanted]) -> Rows:
        """The update's rows. It returns the tokens of those that are claimed; others need ``claim``."""
        return [_values(each, self._is_sqlite) for each in wanted]

    async def claim(self, connection: AsyncConnection, wanted: Sequence[Wanted]) -> Answers:
        """In one statement all rows that are still as they were read; the others are looked at again."""
        answers: Answers = {each.token: NotClaimed.STAGE_CLOSED for each in wanted}
        allowed = await _of_open_stages(connection, wanted)
        answers |= {each.token: NotClaimed.ROW_TAKEN for each in allowed}
        answers |= await self._as_read(connection, allowed)
        changed = [each for each in allowed if answers[each.token] is NotClaimed.ROW_TAKEN]
        answers |= await self._as_read(connection, await look_again(connection, changed))
        return answers

    async def committed(self, connection: AsyncConnection, wanted: Sequence[Wanted]) -> Answers:
        """Those of a lost transaction that were claimed, even if the stage has been closed since; empty if it wasn't
        committed. Tokens are the callers' own: nobody else will ever hand over the rows that carry them.
        """
        found: Answers = {}
        for job, lost in by_slice(wanted):
            # claims hold a share of this lock: a commit that is still on its way is waited for
            await connection.execute(select(stage.c.number).where(stage_row(job.key)).with_for_update())
            by_token = {each.token: each for each in lost}
            mine = delivery.c.token.in_(by_token), delivery.c.state == DeliveryState.HANDING_OVER
            for row in await connection.execute(claimable(job).where(*mine)):
                found[row.token] = _claimed(replace(by_token[row.token], row=row), row.attempts)
        return found

    async def _as_read(self, connection: AsyncConnection, wanted: Sequence[Wanted]) -> Answers:
        if not wanted:
            return {}
        taken = await self.update.write(connection, self.given(wanted))
        return {each.token: claimed_as_read(each) for each in wanted if each.token in taken}


def _values(wanted: Wanted, is_sqlite: bool) -> dict[str, Any]:
    job, row = wanted.job, wanted.row
    return {
        "mass_mail_id": job.key.mass_mail_id,
        "stage": job.key.stage,
        "seq": row.seq,
        "attempts": row.attempts,
        "imported_at": row.imported_at and as_text(row.imported_at, is_sqlite),
        "opted_in_only": job.opted_in_only,
        "now": as_text(wanted.now, is_sqlite),
        "token": wanted.token,
        "epoch": job.epoch,
        "template": job.template,
        "tracked": _tracked(wanted),
        "message_id": wanted.message_id,
        "dated_at": as_text(row.dated_at or wanted.now, is_sqlite),
    }


def claimed_as_read(wanted: Wanted) -> Claimed:
    """The claim of a row that was still as it was read."""
    return _claimed(wanted, wanted.row.attempts + 1)


def _claimed(wanted: Wanted, attempts: int) -> Claimed:
    job, row = wanted.job, wanted.row
    return Claimed(
        key=job.key,
        seq=row.seq,
        token=wanted.token,
        number=row.number,
        address=row.email,
        contact=merge_fields(row._mapping),
        tracked=_tracked(wanted),
        message_id=wanted.message_id,
        dated_at=row.dated_at or wanted.now,
        attempts=attempts,
        hand_over_by=wanted.hand_over_by,
        account=job.account,
        provider=wanted.provider,
    )


def _tracked(wanted: Wanted) -> bool:
    return wanted.job.measured and bool(wanted.row.tracking)


async def _of_open_stages(connection: AsyncConnection, wanted: Sequence[Wanted]) -> list[Wanted]:
    """Those whose epoch may claim. A stop waits until they are committed."""
    epochs: dict[StageKey, int] = {}
    for key in sorted({each.job.key for each in wanted}, key=lambda key: (key.mass_mail_id, key.stage)):
        asked = {"mass_mail_id": key.mass_mail_id, "number": key.stage}
        if (epoch := (await connection.execute(_OPEN_EPOCH, asked)).scalar()) is not None:
            epochs[key] = epoch
    return [each for each in wanted if each.job.epoch == epochs.get(each.job.key)]


_OPEN_EPOCH = (
    select(stage.c.epoch)
    .where(stage.c.mass_mail_id == bindparam("mass_mail_id"), stage.c.number == bindparam("number"), stage.c.open)
    .with_for_update(read=True)
)
_WANTED = "wanted"
_COLUMNS: dict[str, TypeEngine[Any]] = {
    "mass_mail_id": Text(),
    "stage": Integer(),
    "seq": Integer(),
    "attempts": Integer(),
    "imported_at": UtcDateTime(),
    "opted_in_only": Boolean(),
    "now": UtcDateTime(),
    "token": Text(),
    "epoch": Integer(),
    "template": Text(),
    "tracked": Boolean(),
    "message_id": Text(),
    "dated_at": UtcDateTime(),
}


def _take_as_read(is_sqlite: bool) -> Update:
    """Compare-and-set: the stage is open for this epoch, nobody has the row, and neither its contact nor its consent
    has changed since it was read.
    """
    if is_sqlite:  # nobody else writes meanwhile
        wanted = OneRow(_COLUMNS)
        its_contact = contact.c.id == delivery.c.contact_id
        its_mass_mail = mass_mail.c.id == delivery.c.mass_mail_id
        its_stage = and_(stage.c.mass_mail_id == delivery.c.mass_mail_id, stage.c.number == delivery.c.stage)
        is_open = and_(its_stage, stage.c.open, stage.c.epoch == wanted.c.epoch)
        free = exists().where(is_open, its_mass_mail, its_contact, *_is_as_read(delivery, wanted))
        address = select(contact.c.email).where(its_contact).scalar_subquery()
        return _claim(wanted, address).where(same_row(delivery, wanted), free)
    locked = _locked(given_rows(_WANTED, _COLUMNS, is_sqlite))
    return _claim(locked, locked.c.email).where(same_row(delivery, locked))


def _is_as_read(row: FromClause, wanted: Given) -> list[ColumnElement[bool]]:
    deferred = (row.c.state == DeliveryState.DEFERRED, row.c.next_try_at <= wanted.c.now)
    # as ``is_due``, in a form that no index fits: rows are looked up by their key
    is_due = case((row.c.state == DeliveryState.PENDING, true()), deferred, else_=false())
    return [
        is_due,
        row.c.attempts == wanted.c.attempts,
        contact.c.imported_at == wanted.c.imported_at,
        contact.c.address_key == row.c.address_key,
        or_(contact.c.opt_in, not_(wanted.c.opted_in_only)),
        suppression_of(row.c.address_key, mass_mail.c.topic).is_(null()),
    ]


def _locked(wanted: FromClause) -> Subquery:
    """The rows that are as they were read, with their contacts' addresses; nobody else writes them from here on."""
    row = delivery.alias("row")
    open_stage = _open_stages(wanted)
    its_stage = and_(open_stage.c.mass_mail_id == wanted.c.mass_mail_id, open_stage.c.number == wanted.c.stage)
    rows = wanted.join(open_stage, and_(its_stage, open_stage.c.epoch == wanted.c.epoch))
    rows = rows.join(row, same_row(wanted, row)).join(mass_mail, mass_mail.c.id == row.c.mass_mail_id)
    return (
        select(*wanted.c, contact.c.email)
        .select_from(rows.join(contact, contact.c.id == row.c.contact_id))
        .where(*_is_as_read(row, wanted))
        .with_for_update(of=row, skip_locked=True)
        .subquery("free")
    )


def _open_stages(wanted: FromClause) -> CTE:
    """Locked, so that a stop waits until the claims are committed."""
    key = stage.c.mass_mail_id, stage.c.number
    theirs = tuple_(*key).in_(select(wanted.c.mass_mail_id, wanted.c.stage))
    return select(*key, stage.c.epoch).where(stage.c.open, theirs).order_by(*key).with_for_update(read=True).cte()


def _claim(wanted: Given, address: Any) -> Update:
    written = ("token", "epoch", "template", "tracked", "message_id", "dated_at")
    return (
        update(delivery)
        .values({name: wanted.c[name] for name in written})
        .values(state=DeliveryState.HANDING_OVER, attempts=delivery.c.attempts + 1, next_try_at=None, reply="")
        .values(handed_over_at=wanted.c.now, address=address)
        .values(data_of=wanted.c.imported_at, data_changed=or_(delivery.c.data_changed, _changed(wanted.c.imported_at)))
    )


def _changed(imported_at: ColumnElement[Any]) -> ColumnElement[bool]:
    """Since its last try; what was given back was none."""
    return func.coalesce(and_(delivery.c.attempts > 0, delivery.c.data_of != imported_at), false())
