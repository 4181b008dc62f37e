"""How many mails for one receiving provider this process has in hand, and when that is enough."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from serienmail.domain.delivery import HAND_OVER_LIMIT, Claimed, Outcome
from serienmail.domain.shaping import NotNow
from serienmail.storage.claiming import Answers
from serienmail.storage.wanted import Wanted

LOOKS_AGAIN = timedelta(milliseconds=100)
SHARES_ANEW = timedelta(seconds=1)
"""A process without a part of the provider's connections has to wait for others to leave."""


class ProviderConnections:
    """allowed: for an account and a provider; None: no limit."""

    def __init__(self, allowed: Callable[[str, str], int | None]) -> None:
        self._allowed = allowed
        self._in_hand: dict[tuple[str, str], dict[str, float]] = {}

    def refuse(self, wanted: Iterable[Wanted], outcomes: Iterable[Outcome]) -> Answers:
        """Those for whose providers enough is in hand, when these outcomes are kept."""
        refused: Answers = {}
        gone = {outcome.token for outcome in outcomes}
        asked: dict[tuple[str, str], int] = {}
        for each in wanted:
            where = each.job.account, each.provider
            allowed = self._allowed(*where)
            if allowed is None:
                continue
            if where not in asked:
                asked[where] = sum(token not in gone for token in self._still(where))
            asked[where] += 1
            if asked[where] > allowed:
                says = f"{each.provider}: {allowed} mails are in hand"
                refused[each.token] = NotNow(each.now + (LOOKS_AGAIN if allowed else SHARES_ANEW), says)
        return refused

    def keep(self, answers: Iterable[object], outcomes: Sequence[Outcome]) -> None:
        """What was claimed is in hand, what has an outcome isn't any more."""
        for outcome in outcomes:
            self._in_hand.get((outcome.account, outcome.provider), {}).pop(outcome.token, None)
        for answer in answers:
            if isinstance(answer, Claimed) and self._allowed(answer.account, answer.provider) is not None:
                self._in_hand.setdefault((answer.account, answer.provider), {})[answer.token] = time.monotonic()

    def _still(self, where: tuple[str, str]) -> Iterable[str]:
        """Without those whose outcome never came: they count until they are in doubt."""
        since = time.monotonic() - HAND_OVER_LIMIT.total_seconds()
        return [token for token, began in self._in_hand.get(where, {}).items() if began > since]
