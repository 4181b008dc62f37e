"""The connections of an account that this process may use, given in turn to the mass mails that want one."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress


class Slots:
    """limit: how many may be taken at once. weight: of a mass mail's turns, compared with others'.

    Both are asked each time, since they change. Turns are given as in start-time fair queueing (Goyal, Vin and Cheng,
    1996): each sets its mass mail back by one over its weight, and who is set back least is next.
    """

    def __init__(self, limit: Callable[[], int], weight: Callable[[str], float] = lambda _: 1.0) -> None:
        self._limit = limit
        self._weight = weight
        self._taken = 0
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # by mass mail; who had no turn for longest is first
        self._turn = 0.0  # how far back the one was set that was next last
        self._set_back: dict[str, float] = {}

    async def take(self, who: str) -> None:
        """A slot for this mass mail, once it is its turn."""
        if self._taken < self._limit() and not self._waiting:
            self._taken += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(who, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._leave(who, turn)
            else:  # its turn came at the same moment
                self.give_back()
            raise

    def _leave(self, who: str, turn: "asyncio.Future[None]") -> None:
        turns = self._waiting.get(who, deque())
        with suppress(ValueError):  # it was passed over already
            turns.remove(turn)
        if not turns:
            self._waiting.pop(who, None)

    def give_back(self) -> None:
        """It is free for the next."""
        self._taken -= 1
        self.give()

    def is_wanted(self, who: str) -> bool:
        """Whether another mass mail waits for one, or there are more taken than there may be."""
        return self._taken > self._limit() or any(other != who for other in self._waiting)

    def give(self) -> None:
        """What is free to those that wait; to be called when there may be more."""
        while self._waiting and self._taken < self._limit():
            who = min(self._waiting, key=self._due)
            turns = self._waiting.pop(who)
            turn = turns.popleft()
            if turns:
                self._waiting[who] = turns  # behind the others
            if turn.cancelled():
                continue  # who waited for it leaves in this round of the loop
            self._taken += 1
            self._turn = self._due(who)
            self._set_back[who] = self._turn + 1 / self._weight(who)
            turn.set_result(None)
        if not self._waiting:
            self._set_back.clear()

    def _due(self, who: str) -> float:
        """Who comes later begins where the others are."""
        return max(self._turn, self._set_back.get(who, 0.0))
