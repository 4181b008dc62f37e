"""How much may go out in which time: limits, and a meter that says how much of them is left."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta

from serienmail.domain.errors import InvalidOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingLimits:
    """None: no limit.

    connections: at a time, of all workers together; towards a receiving provider: mails in hand at a time.
    mails_per_connection: then a connection is replaced.
    per_second … per_day: in any span of that length, wherever it begins.
    block: after so many mails nothing goes out for pause_minutes.
    """

    connections: int | None = None
    mails_per_connection: int | None = None
    per_second: int | None = None
    per_minute: int | None = None
    per_hour: int | None = None
    per_day: int | None = None
    block: int | None = None
    pause_minutes: int | None = None

    def with_changes(self, changes: Mapping[str, int | None]) -> "SendingLimits":
        """These limits, some of them changed; InvalidOrder if they make no sense."""
        known = [each.name for each in fields(self)]
        for name, value in changes.items():
            if name not in known:
                raise InvalidOrder(f"There is no limit '{name}'; choose from: {', '.join(known)}.")
            if value is not None and value < 1:
                raise InvalidOrder(f"The limit {name} must be at least 1; take it away for no limit.")
        changed = replace(self, **changes)
        if changed.connections is None:
            raise InvalidOrder("An account's connections can't be without a limit; give a number.")
        if (changed.block is None) != (changed.pause_minutes is None):
            raise InvalidOrder("A block needs a pause, and a pause a block; give both, or none.")
        return changed

    def scaled(self, share: float) -> "SendingLimits":
        """A share of the connections and rates, but at least one of each that is limited."""
        if share >= 1:
            return self
        scaled = {name: max(1, int(limit * share)) for name in _SCALED if (limit := getattr(self, name)) is not None}
        return replace(self, **scaled)

    @property
    def spans(self) -> "Iterator[Span]":
        """The limited spans of time, the shortest first."""
        return (Span(name, seconds, limit) for name, seconds in _SPANS.items() if (limit := getattr(self, name)))

    @property
    def meters(self) -> bool:
        """Whether anything must be counted to keep them."""
        return self.block is not None or any(True for _ in self.spans)


_SPANS = {"per_second": 1, "per_minute": 60, "per_hour": 3_600, "per_day": 86_400}
_SCALED = ("connections", *_SPANS)
_TENTHS = 10
_PLENTY = 1_000_000
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SKEW = timedelta(minutes=1)
"""Clocks of workers differ by less; a clock that went back by more was wrong before."""


@dataclass(frozen=True, slots=True)
class Span:
    """At most ``limit`` mails in any so many seconds. Counted by tenths: the present one, and the ten before it."""

    name: str
    seconds: int
    limit: int

    def tenth(self, now: datetime) -> int:
        """The number of the tenth that now lies in, since 1970."""
        return (now - _EPOCH) // _MICROSECOND // self._width

    def counted_until(self, tenth: int) -> datetime:
        """When what went out in a tenth counts no more: no span that begins in it lasts until then."""
        return _EPOCH + (tenth + _TENTHS + 1) * self._width * _MICROSECOND

    @property
    def words(self) -> str:
        """As people say it."""
        return f"{self.limit} {self.name.replace('per_', 'a ').replace('a hour', 'an hour')}"

    @property
    def _width(self) -> int:
        return self.seconds * 1_000_000 // _TENTHS


@dataclass(frozen=True, slots=True)
class Meter:
    """What went out lately.

    counts: for each span, by its name, how many mails in which tenth of it. at: the latest moment it has seen.
    in_block: mails since the last pause; at the last of them, a new pause would have begun.
    """

    counts: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    at: datetime = _EPOCH
    in_block: int = 0
    last: datetime = _EPOCH

    def moved_to(self, now: datetime, limits: SendingLimits) -> "Meter":
        """Without what counts no more. It never goes back by a little; after a wrong clock all counts as just now."""
        wrong = self.at - now > SKEW
        now = now if wrong else max(now, self.at)
        counts: dict[str, Mapping[int, int]] = {}
        for span in limits.spans:
            present, before = span.tenth(now), self.counts.get(span.name, {})
            recent = {tenth: mails for tenth, mails in before.items() if tenth >= present - _TENTHS}
            counts[span.name] = {present: sum(recent.values())} if wrong else recent
        last = min(self.last, now)
        rested = limits.pause_minutes is None or now - last >= timedelta(minutes=limits.pause_minutes)
        return Meter(counts, now, 0 if rested else self.in_block, last)

    def plus(self, mails: int, limits: SendingLimits) -> "Meter":
        """With so many more, at the moment it stands at."""
        counts = dict(self.counts)
        for span in limits.spans:
            tenth, before = span.tenth(self.at), counts.get(span.name, {})
            counts[span.name] = {**before, tenth: before.get(tenth, 0) + mails}
        return Meter(counts, self.at, self.in_block + mails, self.at)


@dataclass(frozen=True, slots=True)
class Grant:
    """How many may go now, and the meter with them. If there is room for no more: when there is again, and why."""

    mails: int
    meter: Meter
    next_at: datetime | None = None
    reason: str = ""


def grant(limits: SendingLimits, meter: Meter, wanted: int, now: datetime) -> Grant:
    """As many of the wanted mails as the limits leave room for; one mail at a time fills them just the same."""
    meter = meter.moved_to(now, limits)
    mails = max(0, min(wanted, _room(limits, meter)))
    granted = meter.plus(mails, limits) if mails else meter
    full = max(_full(limits, granted), default=None)
    return Grant(mails, granted, *full) if full else Grant(mails, granted)


def room(limits: SendingLimits, meter: Meter, now: datetime) -> int:
    """How many mails could go now."""
    return max(0, _room(limits, meter.moved_to(now, limits)))


def _room(limits: SendingLimits, meter: Meter) -> int:
    rooms = [span.limit - sum(meter.counts[span.name].values()) for span in limits.spans]
    rooms += [limits.block - meter.in_block] if limits.block else []
    return min(rooms, default=_PLENTY)


def _full(limits: SendingLimits, meter: Meter) -> Iterator[tuple[datetime, str]]:
    """For each limit that is reached, when it has room again."""
    for span in limits.spans:
        tenths = sorted(meter.counts[span.name].items())
        over = sum(mails for _, mails in tenths) - span.limit
        for tenth, mails in tenths:
            if over < 0:
                break
            over -= mails
            if over < 0:
                yield span.counted_until(tenth), f"{span.words} are out"
    if limits.block and limits.pause_minutes and meter.in_block >= limits.block:
        yield meter.last + timedelta(minutes=limits.pause_minutes), f"a block of {limits.block} is out"
