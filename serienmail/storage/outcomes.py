"""Outcomes: what became of claimed mails, committed in groups and matched by the claim's token alone."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Update, and_, bindparam, insert, select, true, update
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
        async with self._database.write() as connection:
            # one order for all writers, else PostgreSQL finds deadlocks
            for outcome in sorted(outcomes, key=lambda o: (o.key.mass_mail_id, o.key.stage, o.seq)):
                matched = await connection.execute(_STATEMENTS[outcome.state], _values(outcome))
                if not matched.rowcount and not await _is_recorded(connection, outcome):
                    await connection.execute(insert(event).values(_late_reply(outcome)))
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


async def _is_recorded(connection: AsyncConnection, outcome: Outcome) -> bool:
    """Whether it is there already: the answer to the commit was lost, and this is the second try."""
    this = and_(rows_of(outcome.key), delivery.c.seq == outcome.seq, delivery.c.token == outcome.token)
    same = select(delivery.c.seq).where(this, delivery.c.state == outcome.state)
    return (await connection.execute(same)).first() is not None


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
        in_hand = delivery.c.state.in_([*_NOT_FINISHED, DeliveryState.HANDING_OVER, DeliveryState.UNKNOWN])
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
