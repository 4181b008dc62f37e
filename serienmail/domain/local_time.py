"""One time of day in many time zones, whatever their clocks do that night."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

_FIRST_ON_EARTH = timezone(timedelta(hours=14))


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


def passed(zones: Mapping[str, int], due: datetime, now: datetime) -> int:
    """For how many people it is later than that time in their zone already. zones: how many live in which."""
    return sum(people for zone, people in zones.items() if (in_zone(due, zone) or due) < now)


def unknown(zones: Mapping[str, int]) -> int:
    """How many people have a zone that doesn't exist; they count as having none."""
    return sum(people for zone, people in zones.items() if zone.strip() and _zone(zone) is None)


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name.strip()) if name.strip() else None
    except (KeyError, OSError, ValueError):  # people write what they like: the name of a folder, or of nothing
        return None
