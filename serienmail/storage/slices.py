"""A slice's due rows, read in one statement, for its lanes to take one after the other."""

from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from serienmail.domain.delivery import Claimed, Outcome, SliceJob
from serienmail.domain.shaping import NotNow
from serienmail.domain.states import DeliveryState
from serienmail.storage.claiming import NotClaimed
from serienmail.storage.turns import Turn, Turns
from serienmail.storage.wanted import Wanted

MessageId = Callable[[str, int, int, int], str]
"""(account, mass mail's number, stage, seq) → Message-ID, always the same one for the same mail."""


class Slice:
    """The rows that wait in memory, and those in the lanes' hands. provider_of: the provider of an address key."""

    def __init__(
        self,
        turns: Turns,
        message_id: MessageId,
        job: SliceJob,
        rows: Iterable[Row[Any]],
        provider_of: Callable[[str], str],
    ) -> None:
        self._turns = turns
        self._message_id = message_id
        self._job = job
        self._waiting = deque(rows)
        self._in_hand: dict[int, Row[Any]] = {}
        self._provider_of = provider_of
        self._resting: dict[str, NotNow] = {}
        self._account_rests: NotNow | None = None
        self._held: dict[str, list[Row[Any]]] = {}  # for the providers that rest

    def __len__(self) -> int:
        """How many rows wait."""
        return len(self._waiting)

    async def next(self, now: datetime, last: Outcome | None = None) -> Claimed | NotNow | None:
        """Keep the last mail's outcome and claim a row for this caller alone, in one commit; None if there is none.

        Rows that may not go (opt-out, suppression, contact gone) are excluded on the way. NotNow: none may go yet,
        because of the account, or because all that are left are for providers that rest.
        """
        if last:
            self._free(last.provider)  # there may be room now
        if self._account_rests and self._account_rests.until > now:
            if last:
                await self.record(last)
            return self._account_rests
        while (row := self._take(now)) is not None:
            wanted = self._want(row, now)
            answer = await self._turns.take(Turn(last, wanted))
            self._settled(last)
            last = None
            if isinstance(answer, Claimed):
                self._in_hand[answer.seq] = row
                return answer
            if isinstance(answer, NotNow):
                if answer.of_account:
                    self._waiting.appendleft(row)
                    self._account_rests = answer
                    return answer
                self._resting[wanted.provider] = answer
                self._held.setdefault(wanted.provider, []).append(row)
            if answer is NotClaimed.STAGE_CLOSED:
                self._waiting.clear()
                self._held.clear()
        if last:
            await self.record(last)
        return min((self._resting[provider] for provider in self._held), key=lambda rest: rest.until, default=None)

    def _take(self, now: datetime) -> Row[Any] | None:
        """The next row whose provider doesn't rest; the others are put aside without asking for each."""
        for provider in [each for each, rest in self._resting.items() if rest.until <= now]:
            self._free(provider)
        while self._waiting:
            row = self._waiting.popleft()
            provider = self._provider(row)
            if provider not in self._resting:
                return row
            self._held.setdefault(provider, []).append(row)
        return None

    def _free(self, provider: str) -> None:
        self._resting.pop(provider, None)
        self._waiting.extendleft(reversed(self._held.pop(provider, [])))

    def _provider(self, row: Row[Any]) -> str:
        return self._provider_of(row.address_key or "")

    async def record(self, outcome: Outcome) -> None:
        """Keep an outcome; returns when it is committed. A row that is given back waits again, behind the others."""
        await self._turns.record(outcome)
        self._settled(outcome)

    def _want(self, row: Row[Any], now: datetime) -> Wanted:
        job = self._job
        message_id = row.message_id or self._message_id(job.account, row.number, job.key.stage, row.seq)
        return Wanted(job, row, message_id, self._provider(row), now)

    def _settled(self, outcome: Outcome | None) -> None:
        if outcome and (row := self._in_hand.pop(outcome.seq, None)) and outcome.state is DeliveryState.PENDING:
            self._waiting.append(row)
