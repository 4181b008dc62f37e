"""A slice's due rows, read in one statement, for its lanes to take one after the other."""

from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from serienmail.domain.delivery import Claimed, Outcome, SliceJob
from serienmail.domain.states import DeliveryState
from serienmail.storage.claiming import NotClaimed
from serienmail.storage.turns import Turn, Turns
from serienmail.storage.wanted import Wanted

MessageId = Callable[[str, int, int, int], str]
"""(account, mass mail's number, stage, seq) → Message-ID, always the same one for the same mail."""


class Slice:
    """The rows that wait in memory, and those in the lanes' hands."""

    def __init__(self, turns: Turns, message_id: MessageId, job: SliceJob, rows: Iterable[Row[Any]]) -> None:
        self._turns = turns
        self._message_id = message_id
        self._job = job
        self._waiting = deque(rows)
        self._in_hand: dict[int, Row[Any]] = {}

    def __len__(self) -> int:
        """How many rows wait."""
        return len(self._waiting)

    async def next(self, now: datetime, last: Outcome | None = None) -> Claimed | None:
        """Keep the last mail's outcome and claim a row for this caller alone, in one commit; None if there is none.

        Rows that may not go (opt-out, suppression, contact gone) are excluded on the way.
        """
        while self._waiting:
            wanted = self._want(self._waiting.popleft(), now)
            answer = await self._turns.take(Turn(last, wanted))
            self._settled(last)
            last = None
            if isinstance(answer, Claimed):
                self._in_hand[answer.seq] = wanted.row
                return answer
            if answer is NotClaimed.STAGE_CLOSED:
                self._waiting.clear()
        if last:
            await self.record(last)
        return None

    async def record(self, outcome: Outcome) -> None:
        """Keep an outcome; returns when it is committed. A row that is given back waits again, behind the others."""
        await self._turns.record(outcome)
        self._settled(outcome)

    def _want(self, row: Row[Any], now: datetime) -> Wanted:
        job = self._job
        message_id = row.message_id or self._message_id(job.account, row.number, job.key.stage, row.seq)
        return Wanted(job, row, message_id, now)

    def _settled(self, outcome: Outcome | None) -> None:
        if outcome and (row := self._in_hand.pop(outcome.seq, None)) and outcome.state is DeliveryState.PENDING:
            self._waiting.append(row)
