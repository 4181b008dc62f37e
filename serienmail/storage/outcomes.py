"""Outcomes: what became of claimed mails, committed in groups and matched by the claim's token alone."""

import asyncio
import logging
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Update, and_, bindparam, insert, or_, select, true, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.delivery import Outcome
from serienmail.domain.errors import EnvironmentFault
from serienmail.domain.states import DeliveryState
from serienmail.storage.database import Database
from serienmail.storage.group_commit import GroupCommit
from serienmail.storage.rows import rows_of
from serienmail.storage.tables import delivery, event

log = logging.getLogger(__name__)


class Outcomes:
    """Writes outcomes, one transaction for all that wait."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._group = GroupCommit(self._record_group)

    async def record(self, outcome: Outcome) -> None:
        """Returns when it is committed: a mail that is out must not stay undecided."""
        delay = 0.1
        while True:
            try:
                return await self._group(outcome)
            except (SQLAlchemyError, OSError, EnvironmentFault):
                log.warning("an outcome could not be recorded yet; trying again in %.1f s", delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)

    async def _record_group(self, outcomes: Sequence[Outcome]) -> Sequence[None]:
        # one order for all writers, else PostgreSQL finds deadlocks
        in_order = sorted(outcomes, key=lambda o: (o.key.mass_mail_id, o.key.stage, o.seq))
        async with self._database.write() as connection:
            for state, alike in groupby(in_order, key=lambda o: o.state):  # in one statement: most are sent
                await connection.execute(_STATEMENTS[state], [_values(outcome) for outcome in alike])
            late = await _not_recorded(connection, in_order)
            if late:
                await connection.execute(insert(event), [_late_reply(outcome) for outcome in late])
        return [None] * len(outcomes)


def _values(outcome: Outcome) -> dict[str, Any]:
    return {
        "of_mass_mail": outcome.key.mass_mail_id,
        "of_stage": outcome.key.stage,
        "of_seq": outcome.seq,
        "of_token": outcome.token,
        "state": outcome.state,
        "reply": outcome.reply,
        "next_try_at": outcome.next_try_at,
        "finished_at": None if outcome.state in _NOT_FINISHED else outcome.at,
    }


_NOT_FINISHED = (DeliveryState.PENDING, DeliveryState.DEFERRED)


async def _not_recorded(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those that their rows don't show. What an earlier try recorded, whose answer was lost, they do show."""
    late: list[Outcome] = []
    for key, same_stage in groupby(outcomes, key=lambda o: o.key):
        asked = list(same_stage)
        these = and_(rows_of(key), delivery.c.seq.in_([outcome.seq for outcome in asked]))
        rows = await connection.execute(select(delivery.c.seq, delivery.c.token, delivery.c.state).where(these))
        shown = {tuple(row) for row in rows}
        late += [outcome for outcome in asked if (outcome.seq, outcome.token, outcome.state) not in shown]
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


def _statement(state: DeliveryState) -> Update:
    in_hand = delivery.c.state == DeliveryState.HANDING_OVER
    if state is DeliveryState.SENT:
        may_be = (*_NOT_FINISHED, DeliveryState.HANDING_OVER, DeliveryState.UNKNOWN)
        in_hand = or_(*(delivery.c.state == state for state in may_be))  # IN can't be executed for many at once
    # a row that was ever in doubt may have arrived: it is never called rejected or failed
    not_doubted = ~delivery.c.doubted if state in (DeliveryState.REJECTED, DeliveryState.FAILED) else true()
    statement = update(delivery).where(
        and_(
            delivery.c.mass_mail_id == bindparam("of_mass_mail"),
            delivery.c.stage == bindparam("of_stage"),
            delivery.c.seq == bindparam("of_seq"),
            delivery.c.token == bindparam("of_token"),
            in_hand,
            not_doubted,
        )
    )
    if state is DeliveryState.PENDING:
        return statement.values(attempts=delivery.c.attempts - 1)
    if state is DeliveryState.UNKNOWN:
        return statement.values(doubted=True)
    return statement


_STATEMENTS = {state: _statement(state) for state in DeliveryState}
