"""How sending to a receiving provider that wants less is put off, and grows again."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

RAMP = timedelta(minutes=3)
"""A provider that accepts for so long gets twice as much."""
LEAST_SHARE = 1 / 32
_THROTTLED = (timedelta(minutes=1), timedelta(hours=1))
_UNWANTED = (timedelta(hours=1), timedelta(hours=24))
_NEXT_PROBE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOff:
    """A provider's trouble; there is none where there is no BackOff.

    until: nothing goes there before. pause: the length of the last pause. share: of its limits.
    accepted: anything, since the last pause. since: of when the share is.
    probes: after a pause one mail is tried before the others. reply: the codes of the answer that began the pause.
    """

    until: datetime
    pause: timedelta
    since: datetime
    reply: str
    share: float = 1.0
    accepted: bool = False
    probes: bool = False

    def rests(self, now: datetime) -> bool:
        """Whether nothing may go there now; a clock that went back prolongs no pause."""
        return now < self.until <= now + (max(self.pause, _NEXT_PROBE) if self.probes else self.pause)

    def probed(self, now: datetime) -> "BackOff":
        """With a mail on its way that decides about the others; if it tells nothing, the next one goes soon."""
        return replace(self, until=now + _NEXT_PROBE)


def throttled(before: BackOff | None, now: datetime, reply: str) -> BackOff:
    """The provider has enough for now: pause, twice as long each time nothing was accepted in between, and halve."""
    if before and before.rests(now):
        return before  # mails that were in hand when the pause began say nothing new
    share = max(LEAST_SHARE, (before.share if before else 1.0) / 2)
    pause = _longer(before, *_THROTTLED)
    return BackOff(until=now + pause, pause=pause, since=now, reply=reply, share=share)


def unwanted(before: BackOff | None, now: datetime, reply: str) -> BackOff:
    """The provider doesn't want this mail: pause for long, then try a single one."""
    if before and before.rests(now) and before.until - now > _NEXT_PROBE:
        return before
    pause = _longer(before, *_UNWANTED)
    return BackOff(until=now + pause, pause=pause, since=now, reply=reply, probes=True)


def accepted(before: BackOff, now: datetime) -> BackOff | None:
    """The provider took a mail; None if all is well again."""
    if before.probes:
        return None if before.since + before.pause <= now or now < before.since else before
    if before.rests(now):
        return before  # it was in hand when the pause began
    if not before.accepted:
        return replace(before, accepted=True, since=now)
    if now - before.since < RAMP:
        return before
    return replace(before, share=before.share * 2, since=now) if before.share < 0.5 else None


def _longer(before: BackOff | None, first: timedelta, longest: timedelta) -> timedelta:
    return first if before is None or before.accepted else min(before.pause * 2, longest)
