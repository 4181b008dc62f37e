"""Columns stand where their time is, as high as their number."""

from datetime import UTC, datetime, timedelta

from serienmail.domain.breakdown import Moment
from serienmail.domain.statistics import Number
from starter.charts import HEIGHT, WIDTH, over_time

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def sent(after: timedelta, mails: int) -> Moment:
    return Moment(NOON + after, {Number.SENT: mails})


def test_two_days_are_drawn_by_the_hour() -> None:
    [chart] = over_time([sent(timedelta(), 10), sent(timedelta(hours=3), 5)])
    assert [(column.x, column.height) for column in chart.columns] == [(0, HEIGHT), (WIDTH * 3 / 4, HEIGHT / 2)]
    assert (chart.columns[1].when, chart.columns[1].count) == ("2026-03-02 15:00", 5)
    assert (chart.total, chart.most) == (15, 10)


def test_weeks_are_drawn_by_the_day() -> None:
    [chart] = over_time([sent(timedelta(), 1), sent(timedelta(hours=1), 2), sent(timedelta(days=9), 3)])
    assert [(column.when, column.count) for column in chart.columns] == [("2026-03-02", 3), ("2026-03-11", 3)]
    assert (chart.first, chart.last) == ("2026-03-02", "2026-03-11")


def test_what_never_happened_isnt_drawn() -> None:
    assert [chart.number for chart in over_time([sent(timedelta(), 1)])] == [Number.SENT]
    assert over_time([]) == []
