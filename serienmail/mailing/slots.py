"""The connections of an account that this process may use, given in turn to the mass mails that want one."""

import asyncio
from collections import deque
from collections.abc import Callable


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

    async def take(self, who: str, patience: float) -> bool:
        """A slot for this mass mail; False if there was none for so many seconds."""
        if self._taken < self._limit() and not self._waiting:
            self._taken += 1
            return True
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(who, deque()).append(turn)
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
            self._taken += 1
            self._turn = self._due(who)
            self._set_back[who] = self._turn + 1 / self._weight(who)
            turn.set_result(None)
        if not self._waiting:
            self._set_back.clear()

    def _due(self, who: str) -> float:
        """Who comes later begins where the others are."""
        return max(self._turn, self._set_back.get(who, 0.0))
