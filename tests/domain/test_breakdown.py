"""Hours become days of a time zone, and domains their providers."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from serienmail.domain.breakdown import Moment, Part, by_day, by_provider
from serienmail.domain.provider import Providers
from serienmail.domain.statistics import Number

SENT = Number.SENT


def test_an_hour_belongs_to_the_day_of_the_time_zone() -> None:
    late = Moment(datetime(2026, 3, 2, 23, tzinfo=UTC), {SENT: 1})  # past midnight in Berlin
    next_day = Moment(datetime(2026, 3, 3, 9, tzinfo=UTC), {SENT: 2})
    berlin = ZoneInfo("Europe/Berlin")
    assert by_day([late, next_day], berlin) == [Moment(datetime(2026, 3, 3, tzinfo=berlin), {SENT: 3})]
    assert [day.numbers[SENT] for day in by_day([late, next_day], UTC)] == [1, 2]


def test_a_provider_has_all_its_domains_and_those_of_nobody_known_are_one_part() -> None:
    domains = [Part("gmx.de", {SENT: 1}), Part("web.de", {SENT: 2}), Part("a.example", {SENT: 1})]
    domains.append(Part("b.example", {SENT: 1}))
    assert by_provider(domains, Providers()) == [Part("gmx", {SENT: 3}), Part("", {SENT: 2})]
