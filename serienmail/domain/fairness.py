"""Whose turn it is when several mass mails want what one account may send."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from serienmail.domain.sending_limits import SKEW

_IN_PLACE = timedelta(seconds=5)
_COMES_BACK = (timedelta(seconds=1), timedelta(seconds=15))
"""How late somebody may come for its share: who waits in its place, and who is woken by a timer."""
LOOKS_AGAIN = timedelta(milliseconds=200)
"""Who has had its share looks again this soon, whether the others have taken theirs."""


@dataclass(frozen=True, slots=True)
class Place:
    """asked: last. until: its share is kept for it. had: mails since several began to want some."""

    asked: datetime
    until: datetime
    had: int


@dataclass(frozen=True, slots=True)
class Fairness:
    """The mass mails that wait, by id."""

    waiting: Mapping[str, Place] = field(default_factory=dict)

    def share(self, who: str, room: int, now: datetime) -> int:
        """How much of the room is its own, so that all who wait get as much as each other."""
        others = self._others(who, now)
        if not others:
            return room
        had = self._had(who, others)
        equal = -(-(room + had + sum(others)) // (len(others) + 1))
        return max(0, min(room, equal - had))

    def took(self, who: str, mails: int, now: datetime) -> "Fairness":
        """Who has got some; counted only while others wait."""
        others = self._others(who, now)
        if not others:
            return Fairness()
        return self._with(who, now + _IN_PLACE, self._had(who, others) + mails, now)

    def waits(self, who: str, until: datetime, now: datetime) -> "Fairness":
        """Who has got nothing, and comes again at a time."""
        late = _COMES_BACK[until - now > _IN_PLACE]
        return self._with(who, until + late, self._had(who, self._others(who, now)), now)

    def _with(self, who: str, until: datetime, had: int, now: datetime) -> "Fairness":
        return Fairness({**self._present(now), who: Place(now, until, had)})

    def _others(self, who: str, now: datetime) -> list[int]:
        """What each of the others that wait has had."""
        return [place.had for other, place in self._present(now).items() if other != who]

    def _had(self, who: str, others: list[int]) -> int:
        """Who comes later begins where the one is that had least."""
        place = self.waiting.get(who)
        return place.had if place else min(others, default=0)

    def _present(self, now: datetime) -> dict[str, Place]:
        """Without those that didn't come in time, or asked by a clock that was wrong."""
        return {who: place for who, place in self.waiting.items() if place.asked - SKEW <= now <= place.until}
