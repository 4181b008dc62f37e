"""Outcomes: what became of claimed mails, matched by the claim's token alone."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Text,
    Update,
    and_,
    case,
    insert,
    literal,
    null,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from serienmail.domain.delivery import Outcome
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.states import DeliveryState
from serienmail.domain.suppression import Suppression, SuppressionReason
from serienmail.storage.given import OneRow, Rows, RowsUpdate, as_text, given_rows
from serienmail.storage.rows import rows_of, same_row
from serienmail.storage.suppressions import hold_off_erasures, suppress
from serienmail.storage.tables import UtcDateTime, delivery, event


class Outcomes:
    """Writes outcomes, within transactions that its caller commits."""

    def __init__(self, is_sqlite: bool) -> None:
        self._is_sqlite = is_sqlite
        self.update = RowsUpdate(_record_in_hand(is_sqlite), _OUTCOMES, delivery.c.token, is_sqlite)

    def given(self, outcomes: Sequence[Outcome]) -> Rows:
        """The update's rows. It returns the tokens of those that count; others need ``record``."""
        # one order for all writers, else PostgreSQL finds deadlocks
        return [_values(each, self._is_sqlite) for each in sorted(outcomes, key=_place)]

    async def record(self, connection: AsyncConnection, outcomes: Sequence[Outcome]) -> None:
        """All in one statement. A reply that comes too late to count is kept as an event."""
        in_order = sorted(outcomes, key=_place)
        if bounced := [each for each in in_order if each.suppress]:
            await _suppress(connection, bounced, in_order)
        recorded = await self.update.write(connection, self.given(outcomes))
        late = await _not_shown(connection, [each for each in in_order if each.token not in recorded])
        if late:
            await connection.execute(insert(event), [_late_reply(each) for each in late])


def _values(outcome: Outcome, is_sqlite: bool) -> dict[str, Any]:
    return {
        "mass_mail_id": outcome.key.mass_mail_id,
        "stage": outcome.key.stage,
        "seq": outcome.seq,
        "token": outcome.token,
        "state": outcome.state,
        "reply": outcome.reply,
        "used_up": outcome.used_up,
        "next_try_at": outcome.next_try_at and as_text(outcome.next_try_at, is_sqlite),
        "finished_at": None if outcome.state in _NOT_FINISHED else as_text(outcome.at, is_sqlite),
    }


_NOT_FINISHED = (DeliveryState.PENDING, DeliveryState.DEFERRED)


async def _suppress(connection: AsyncConnection, bounced: Sequence[Outcome], all_written: Sequence[Outcome]) -> None:
    """There is no such mailbox: its address gets no more mass mail."""
    await hold_off_erasures(connection)
    row = tuple_(delivery.c.mass_mail_id, delivery.c.stage, delivery.c.seq)
    theirs = select(delivery.c.address_key).where(row.in_(map(_place, bounced)), delivery.c.address_key.is_not(null()))
    keys = (await connection.execute(theirs)).scalars().all()
    reason, at = SuppressionReason.BOUNCED, bounced[0].at
    entries = [Suppression(address_key=key, reason=reason, since=at, source="hard") for key in keys]
    if entries:
        await suppress(connection, entries, also=row.in_(map(_place, all_written)))


def _place(outcome: Outcome) -> tuple[str, int, int]:
    return outcome.key.mass_mail_id, outcome.key.stage, outcome.seq


async def _not_shown(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those that their rows don't show. What an earlier try recorded, whose answer was lost, they do show."""
    late: list[Outcome] = []
    for key, same_stage in groupby(outcomes, key=lambda each: each.key):
        asked = list(same_stage)
        these = and_(rows_of(key), delivery.c.seq.in_([each.seq for each in asked]))
        rows = await connection.execute(select(delivery.c.seq, delivery.c.token, delivery.c.state).where(these))
        shown = {tuple(row) for row in rows}
        late += [each for each in asked if (each.seq, each.token, each.state) not in shown]
    return late


def _late_reply(outcome: Outcome) -> dict[str, Any]:
    """A reply that came after the row was settled otherwise is kept, and changes nothing."""
    return {
        "kind": "late_reply",
        "mass_mail_id": outcome.key.mass_mail_id,
        "stage": outcome.key.stage,
        "seq": outcome.seq,
        "at": outcome.at,
        "detail": f"{outcome.state}: {outcome.reply}"[:1000],
    }


_OUTCOMES = "outcomes"
_COLUMNS: dict[str, TypeEngine[Any]] = {
    "mass_mail_id": Text(),
    "stage": Integer(),
    "seq": Integer(),
    "token": Text(),
    "state": Text(),
    "reply": Text(),
    "used_up": Integer(),
    "next_try_at": UtcDateTime(),
    "finished_at": UtcDateTime(),
}


def _each(*states: DeliveryState) -> list[ColumnElement[str]]:
    """For IN: a list of plain values would be written into the statement's text anew each time it is executed."""
    return [literal(state.value) for state in states]


def _record_in_hand(is_sqlite: bool) -> Update:
    outcome = OneRow(_COLUMNS) if is_sqlite else given_rows(_OUTCOMES, _COLUMNS, is_sqlite)
    # a row that was ever in doubt may have arrived: it is never called rejected, failed or excluded
    got_none = _each(DeliveryState.REJECTED, DeliveryState.FAILED, DeliveryState.EXCLUDED)
    uncertain = and_(delivery.c.doubted, outcome.c.state.in_(got_none))
    becomes = case((uncertain, literal(DeliveryState.UNKNOWN.value)), else_=outcome.c.state)
    excluded = becomes == literal(DeliveryState.EXCLUDED.value)
    if_sent = (*_NOT_FINISHED, DeliveryState.UNKNOWN)
    may_become = or_(
        delivery.c.state == DeliveryState.HANDING_OVER,
        and_(becomes == DeliveryState.SENT, delivery.c.state.in_(_each(*if_sent))),
    )
    return (
        update(delivery)
        .where(same_row(delivery, outcome), delivery.c.token == outcome.c.token, may_become)
        .values({name: outcome.c[name] for name in ("reply", "next_try_at", "finished_at")})
        .values(reason=case((excluded, literal(Exclusion.PLACEHOLDER_MISSING.value)), else_=delivery.c.reason))
        .values(state=becomes, attempts=delivery.c.attempts - 1 + outcome.c.used_up)
        .values(doubted=or_(delivery.c.doubted, becomes == DeliveryState.UNKNOWN))
    )
