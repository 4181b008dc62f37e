"""A lane's turn: the outcome of its last mail and the claim of its next, in one commit for all lanes that wait."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.delivery import Claimed, Outcome
from serienmail.domain.errors import EnvironmentFault
from serienmail.domain.record import record
from serienmail.domain.shaping import Gate, NotNow
from serienmail.storage.claiming import Answers, Claims, NotClaimed, claimed_as_read
from serienmail.storage.database import Database
from serienmail.storage.group_commit import GroupCommit
from serienmail.storage.outcomes import Outcomes
from serienmail.storage.provider_connections import ProviderConnections
from serienmail.storage.shaping import Shaping
from serienmail.storage.wanted import Wanted

log = logging.getLogger(__name__)

LOOKS_AGAIN_AFTER = 0.5
"""Seconds, the first time; then twice as long each time, up to 5."""
_AWAY = (SQLAlchemyError, OSError, EnvironmentFault)


@record
class Turn:
    """What one lane asks for."""

    last: Outcome | None = None
    wanted: Wanted | None = None


class Turns:
    """The ledger's hot path, one for each process."""

    def __init__(self, database: Database, shaping: Shaping) -> None:
        self._database = database
        self._shaping = shaping
        self._in_hand = ProviderConnections(shaping.provider_connections)
        self._claims = Claims(database.is_sqlite)
        self._outcomes = Outcomes(database.is_sqlite)
        self._as_read = GroupCommit(self._take_as_read)
        self._with_care = GroupCommit(self._take_with_care)

    async def take(self, turn: Turn) -> Claimed | NotClaimed | NotNow | None:
        """Returns when it is committed. If the claim fails, that is raised, but not before the outcome is kept."""
        try:
            return await self._take(turn)
        except _AWAY:
            if turn.last:
                await self.record(turn.last)
            raise

    async def record(self, outcome: Outcome) -> None:
        """Returns when it is committed: a mail that is out must not stay undecided."""
        delay = 0.1
        while True:
            try:
                await self._take(Turn(last=outcome))
            except _AWAY:
                log.warning("an outcome could not be recorded yet; trying again in %.1f s", delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)
            else:
                return

    async def _take(self, turn: Turn) -> Claimed | NotClaimed | NotNow | None:
        claimed, left = await self._as_read(turn)
        if claimed and left.last:
            await self.record(left.last)
        return claimed or (await self._with_care(left) if left.last or left.wanted else None)

    async def _take_as_read(self, turns: Sequence[Turn]) -> Sequence[tuple[Claimed | None, Turn]]:
        """What needs no second look, which is nearly everything, in one step of the database; and what is left."""
        outcomes, wanted = _parts(turns)
        shaped = await self._shaping.prepare(outcomes, (each.wish for each in wanted))
        if shaped or self._in_hand.refuse(wanted, outcomes) or any(outcome.suppress for outcome in outcomes):
            return [(None, turn) for turn in turns]
        writes = (
            (self._outcomes.update, self._outcomes.given(outcomes)),
            (self._claims.update, self._claims.given(wanted)),
        )
        try:
            done = await self._database.write_in_one_step(writes)
        except _AWAY:
            done = frozenset(await self._look_for(wanted) if wanted else ())
            if not done:  # it wasn't committed, or there is nothing to tell by; outcomes can be recorded twice
                raise
        answers = [_claim_and_rest(turn, done) for turn in turns]
        self._in_hand.keep([claimed for claimed, _ in answers], [each for each in outcomes if each.token in done])
        return answers

    async def _take_with_care(self, turns: Sequence[Turn]) -> Sequence[Claimed | NotClaimed | NotNow | None]:
        outcomes, wanted = _parts(turns)
        answers: Answers = self._in_hand.refuse(wanted, outcomes)
        wanted = [each for each in wanted if each.token not in answers]
        try:
            answers |= await self._commit(outcomes, wanted)
        except _AWAY:
            found = await self._look_for(wanted) if wanted else {}
            if not found:  # it wasn't committed, or there is nothing to tell by; outcomes can be recorded twice
                raise
            answers |= found
        self._in_hand.keep(answers.values(), outcomes)
        return [answers.get(turn.wanted.token, NotClaimed.ROW_TAKEN) if turn.wanted else None for turn in turns]

    async def _commit(self, outcomes: Sequence[Outcome], wanted: Sequence[Wanted]) -> Answers:
        scopes = await self._shaping.prepare(outcomes, (each.wish for each in wanted))
        async with self._database.write(by_key=True) as connection:
            gate = await self._shaping.open(connection, scopes)
            gate.hear(outcomes)
            if outcomes:
                await self._outcomes.record(connection, outcomes)
            answers = await self._claim(connection, gate, wanted) if wanted else {}
            await self._shaping.keep(connection, gate)
            return answers

    async def _claim(self, connection: AsyncConnection, gate: Gate, wanted: Sequence[Wanted]) -> Answers:
        """What the gate lets through; what then isn't claimed is not counted."""
        if not gate.shapes:
            return await self._claims.claim(connection, wanted)
        trial, answers = gate.copy(), Answers()
        for each in wanted:
            if refused := trial.admit(each.wish):
                answers[each.token] = refused
        allowed = [each for each in wanted if each.token not in answers]
        answers |= await self._claims.claim(connection, allowed) if allowed else {}
        for each in wanted:
            answer = answers[each.token]
            if isinstance(answer, Claimed):
                gate.admit(each.wish)
            elif isinstance(answer, NotNow):
                gate.wait(each.wish, answer)
        return answers

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


def _parts(turns: Sequence[Turn]) -> tuple[list[Outcome], list[Wanted]]:
    return [turn.last for turn in turns if turn.last], [turn.wanted for turn in turns if turn.wanted]


def _claim_and_rest(turn: Turn, done: Collection[str]) -> tuple[Claimed | None, Turn]:
    """When the outcomes and claims with these tokens are committed."""
    last = None if turn.last and turn.last.token in done else turn.last
    if turn.wanted and turn.wanted.token in done:
        return claimed_as_read(turn.wanted), Turn(last)
    return None, Turn(last, turn.wanted)
