"""The connections of an account that this process may use, given in turn to the mass mails that want one."""

import asyncio
from collections import deque
from collections.abc import Callable

LOOKS_AGAIN = 1.0
"""Seconds: while somebody waits, the limit may have grown."""


class Slots:
    """limit: how many may be taken at once; asked each time, since it changes."""

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._taken = 0
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # by mass mail; whose turn is next stands first
        self._timer: asyncio.TimerHandle | None = None

    async def take(self, who: str, patience: float) -> bool:
        """A slot for this mass mail; False if there was none for so many seconds."""
        if self._taken < self._limit() and not self._waiting:
            self._taken += 1
            return True
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(who, deque()).append(turn)
        self._look_again()
        try:
            async with asyncio.timeout(patience):
                await turn
        except TimeoutError:
            return self._left(who, turn)
        except asyncio.CancelledError:
            if self._left(who, turn):
                self.give_back()
            raise
        return True

    def _left(self, who: str, turn: "asyncio.Future[None]") -> bool:
        """It waits no more; True if its turn had come at the same moment."""
        if turn.done() and not turn.cancelled():
            return True
        turns = self._waiting[who]
        turns.remove(turn)
        if not turns:
            del self._waiting[who]
        return False

    def give_back(self) -> None:
        """It is free for the next."""
        self._taken -= 1
        self._give()

    def is_wanted(self, who: str) -> bool:
        """Whether another mass mail waits for one, or there are more taken than there may be."""
        return self._taken > self._limit() or any(other != who for other in self._waiting)

    def _give(self) -> None:
        while self._waiting and self._taken < self._limit():
            who = next(iter(self._waiting))
            turns = self._waiting.pop(who)
            turn = turns.popleft()
            if turns:
                self._waiting[who] = turns  # behind the others
            self._taken += 1
            turn.set_result(None)

    def _look_again(self) -> None:
        """Only while somebody waits."""
        if self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOKS_AGAIN, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._give()
        self._look_again()
