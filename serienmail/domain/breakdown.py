"""The numbers of a mass mail taken apart: by the receiving side, over time, by link, and machines."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from serienmail.domain.provider import Providers
from serienmail.domain.statistics import Number

TAKEN_APART = (
    Number.SENT,
    Number.BOUNCED,
    Number.MEASURED,
    Number.OPENED,
    Number.CLICKED,
    Number.UNSUBSCRIBED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """What the numbers are at one domain or provider. Persons who were erased have none: their part is ''."""

    name: str
    numbers: Mapping[Number, int]


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened for the first time to how many mails, from this hour or day on until the next."""

    at: datetime
    numbers: Mapping[Number, int]


@dataclass(frozen=True, slots=True)
class LinkClicks:
    """Clicks on one target. people: how many mails they came from; machines: clicks that no person made."""

    url: str
    clicks: int
    people: int
    machines: int


@dataclass(frozen=True, slots=True)
class Breakdown:
    """domains: the largest first. hours: those in which something happened. links: the most clicked first.

    machines: of how many mails machines opened the pictures or followed links, by what they were known by.
    """

    domains: Sequence[Part]
    providers: Sequence[Part]
    hours: Sequence[Moment]
    links: Sequence[LinkClicks]
    machines: Mapping[str, int]


def by_provider(domains: Iterable[Part], providers: Providers) -> list[Part]:
    """The known providers, and all other domains as one part without a name; the largest first."""
    summed: dict[str, Counter[Number]] = {}
    for part in domains:
        name = providers.of(part.name)
        summed.setdefault("" if name == part.name else name, Counter()).update(part.numbers)
    return largest(Part(name, dict(numbers)) for name, numbers in summed.items())


def largest(parts: Iterable[Part]) -> list[Part]:
    """By mails sent; those of the same size by name."""
    return sorted(parts, key=lambda part: (-part.numbers[Number.SENT], part.name))


def by_day(hours: Iterable[Moment], zone: tzinfo) -> list[Moment]:
    """The same by calendar days of a time zone."""
    days: dict[datetime, Counter[Number]] = {}
    for hour in hours:
        day = hour.at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        days.setdefault(day, Counter()).update(hour.numbers)
    return [Moment(day, dict(numbers)) for day, numbers in sorted(days.items())]
