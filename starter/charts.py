"""What the report draws: columns over time, as rectangles of an SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from serienmail.domain.breakdown import Moment, by_day
from serienmail.domain.statistics import Number

WIDTH, HEIGHT = 600, 80
"""Of each chart, in units of its own."""
_HOURLY_UP_TO = timedelta(days=3)
DRAWN = (Number.SENT, Number.OPENED, Number.CLICKED, Number.BOUNCED, Number.UNSUBSCRIBED)


@dataclass(frozen=True, slots=True)
class Column:
    """One rectangle. when, count: for who looks closer, or can't look."""

    x: float
    y: float
    width: float
    height: float
    when: str
    count: int


@dataclass(frozen=True, slots=True)
class Chart:
    """One number over time. most: of the highest column, as the scale."""

    number: Number
    total: int
    most: int
    columns: Sequence[Column]
    first: str
    last: str
    width: int = WIDTH
    height: int = HEIGHT


def over_time(hours: Sequence[Moment], zone: tzinfo = UTC) -> list[Chart]:
    """A chart for each number that isn't 0: by the hour, or by the day if it took longer than three."""
    if not hours:
        return []
    hourly = hours[-1].at - hours[0].at <= _HOURLY_UP_TO
    moments = list(hours) if hourly else by_day(hours, zone)
    charts = [_chart(number, moments, hourly, zone) for number in DRAWN]
    return [chart for chart in charts if chart.total]


def _chart(number: Number, moments: Sequence[Moment], hourly: bool, zone: tzinfo) -> Chart:
    step = timedelta(hours=1) if hourly else timedelta(days=1)
    places = [round((moment.at - moments[0].at) / step) for moment in moments]  # a day may have 23 hours
    counts = [moment.numbers.get(number, 0) for moment in moments]
    most, width = max(counts), WIDTH / (places[-1] + 1)
    named = [_named(moment.at.astimezone(zone), hourly) for moment in moments]
    columns = [
        Column(
            x=round(place * width, 2),
            y=round(HEIGHT * (1 - count / most), 2),
            width=round(width * 0.9, 2),
            height=round(HEIGHT * count / most, 2),
            when=name,
            count=count,
        )
        for place, count, name in zip(places, counts, named, strict=True)
        if count
    ]
    return Chart(number, sum(counts), most, columns, named[0], named[-1])


def _named(at: datetime, hourly: bool) -> str:
    return f"{at:%Y-%m-%d %H:00}" if hourly else f"{at:%Y-%m-%d}"
