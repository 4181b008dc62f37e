"""One time of day in many time zones, whatever their clocks do that night."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

_FIRST_ON_EARTH = timezone(timedelta(hours=14))


def own_moment(due: datetime, zone: str, home: str = "") -> datetime:
    """When somebody's mail goes: at that time in the own zone, else in the account's (``home``), else at ``due``."""
    return in_zone(due, zone) or in_zone(due, home) or due


def in_zone(due: datetime, zone: str) -> datetime | None:
    """When clocks in this zone show the date and time that ``due`` shows in its own; None for an unknown zone.

    A time that a change of the clocks leaves out counts as if they hadn't changed yet; of one that comes twice the
    first is taken (RFC 5545 3.3.5).
    """
    known = _zone(zone)
    return due.replace(tzinfo=known, fold=0).astimezone(UTC) if known else None


def first_moment(due: datetime) -> datetime:
    """When clocks anywhere on earth show this time first."""
    return min(due, due.replace(tzinfo=_FIRST_ON_EARTH)).astimezone(UTC)


def passed(zones: Mapping[str, int], due: datetime, now: datetime, home: str = "") -> int:
    """For how many people it is later than that time already. zones: how many live in which; home: the account's."""
    return sum(people for zone, people in zones.items() if own_moment(due, zone, home) < now)


def exists(zone: str) -> bool:
    """Whether this names a time zone."""
    return _zone(zone) is not None


def unknown(zones: Mapping[str, int]) -> int:
    """How many people have a zone that doesn't exist; they count as having none."""
    return sum(people for zone, people in zones.items() if zone.strip() and not exists(zone))


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name.strip()) if name.strip() else None
    except (KeyError, OSError, ValueError):  # people write what they like: the name of a folder, or of nothing
        return None
