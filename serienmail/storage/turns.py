"""A lane's turn: the outcome of its last mail and the claim of its next, in one commit for all lanes that wait."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from serienmail.domain.delivery import Claimed, Outcome
from serienmail.domain.errors import EnvironmentFault
from serienmail.storage.claiming import Answers, Claims, NotClaimed
from serienmail.storage.database import Database
from serienmail.storage.group_commit import GroupCommit
from serienmail.storage.outcomes import Outcomes
from serienmail.storage.wanted import Wanted

log = logging.getLogger(__name__)

LOOKS_AGAIN_AFTER = 0.5
"""Seconds, the first time; then twice as long each time, up to 5."""
_EACH_ROW_BY_ITS_KEY = "SELECT " + ", ".join(
    f"set_config('enable_{plan}', 'off', true)" for plan in ("seqscan", "bitmapscan", "hashjoin", "mergejoin")
)
"""PostgreSQL takes the given rows for a hundred; it would rather read all recipients than look up so many."""
_AWAY = (SQLAlchemyError, OSError, EnvironmentFault)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one lane asks for."""

    last: Outcome | None = None
    wanted: Wanted | None = None


class Turns:
    """The ledger's hot path, one for each process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._claims = Claims(database.is_sqlite)
        self._outcomes = Outcomes(database.is_sqlite)
        self._group = GroupCommit(self._take_group)

    async def take(self, turn: Turn) -> Claimed | NotClaimed | None:
        """Returns when it is committed. If the claim fails, that is raised, but not before the outcome is kept."""
        try:
            return await self._group(turn)
        except _AWAY:
            if turn.last:
                await self.record(turn.last)
            raise

    async def record(self, outcome: Outcome) -> None:
        """Returns when it is committed: a mail that is out must not stay undecided."""
        delay = 0.1
        while True:
            try:
                await self._group(Turn(last=outcome))
            except _AWAY:
                log.warning("an outcome could not be recorded yet; trying again in %.1f s", delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)
            else:
                return

    async def _take_group(self, turns: Sequence[Turn]) -> Sequence[Claimed | NotClaimed | None]:
        wanted = [turn.wanted for turn in turns if turn.wanted]
        try:
            answers = await self._commit([turn.last for turn in turns if turn.last], wanted)
        except _AWAY:
            answers = await self._look_for(wanted) if wanted else {}
            if not answers:  # it wasn't committed, or there is nothing to tell by; outcomes can be recorded twice
                raise
        return [answers.get(turn.wanted.token, NotClaimed.ROW_TAKEN) if turn.wanted else None for turn in turns]

    async def _commit(self, outcomes: Sequence[Outcome], wanted: Sequence[Wanted]) -> Answers:
        async with self._database.write() as connection:
            if not self._database.is_sqlite:
                await connection.exec_driver_sql(_EACH_ROW_BY_ITS_KEY)
            if outcomes:
                await self._outcomes.record(connection, outcomes)
            return await self._claims.claim(connection, wanted) if wanted else {}

    async def _look_for(self, wanted: Sequence[Wanted]) -> Answers:
        """What of these was committed; returns when the database answers."""
        delay = LOOKS_AGAIN_AFTER
        while True:
            log.warning("a group of claims got no answer from the database; looking for its tokens in %.1f s", delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5.0)
            with suppress(*_AWAY):
                async with self._database.write() as connection:
                    return await self._claims.committed(connection, wanted)
