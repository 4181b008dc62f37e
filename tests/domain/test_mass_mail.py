"""An order is refused with a sentence that says what to do, or it can be carried out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from serienmail.domain.errors import ChecksFailed, InvalidOrder
from serienmail.domain.mass_mail import Audience, CountedFrom, FollowUp, check_order
from tests.builders import NOON, an_order

DAYS = FollowUp(template="thanks@2", audience=Audience.RECEIVED, after=timedelta(days=3))
LATER = NOON + timedelta(days=5)
EACH: dict[str, Any] = {"after": timedelta(3), "counted_from": CountedFrom.EVENT}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"id": "2026-herbst"},
        {"due": NOON},
        {"due": NOON.astimezone(ZoneInfo("Europe/Berlin"))},
        {"follow_ups": (DAYS, DAYS, DAYS)},
        {"follow_ups": (FollowUp(template="a@1", audience=Audience.NOT_OPENED, on=LATER),)},
        {"follow_ups": (FollowUp(template="a@1", audience=Audience.OPENED, after=timedelta()),)},
        {"follow_ups": (FollowUp(template="a@1", audience=Audience.CLICKED, **EACH, within=timedelta(7)),)},
    ],
)
def test_an_order_that_can_be_carried_out_is_accepted(changes: dict[str, Any]) -> None:
    check_order(an_order(**changes), NOON)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"id": "Herbst"}, "lower-case"),
        ({"id": ""}, "lower-case"),
        ({"id": "a/b"}, "lower-case"),
        ({"id": "a\n"}, "lower-case"),
        ({"id": "a" * 101}, "100 at most"),
        ({"name": " "}, "needs a name"),
        ({"name": "one\ntwo"}, "one line"),
        ({"created_by": ""}, "say who you are"),
        ({"template": "autumn"}, "name@revision"),
        ({"template": "autumn@"}, "name@revision"),
        ({"due": NOON - timedelta(seconds=1)}, "in the past"),
        ({"due": datetime(2027, 1, 1)}, "no time zone"),  # noqa: DTZ001  # refusing it is what is tested
        ({"follow_ups": (DAYS,) * 4}, "take one out"),
        ({"follow_ups": (DAYS,) * 5}, "take 2 out"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidOrder, match=says):
        check_order(an_order(**changes), NOON)


def test_all_that_is_wrong_with_an_order_is_said_at_once() -> None:
    naive = datetime(2027, 1, 1)  # noqa: DTZ001  # refusing it is what is tested
    wrong = replace(DAYS, template="thanks", after=timedelta(days=-1))
    with pytest.raises(ChecksFailed) as refused:
        check_order(an_order(id="A b", name="", topic="x\n", due=naive, follow_ups=(DAYS, wrong, DAYS, DAYS)), NOON)
    says = ["lower-case", "a name", "The topic", "3 follow-ups at most", "no time zone", "name@revision", "-up 2 would"]
    assert [gist in problem for gist, problem in zip(says, refused.value.problems, strict=True)] == [True] * len(says)


@pytest.mark.parametrize(
    ("audience", "when", "says"),
    [
        (Audience.RECEIVED, {}, "give one of them"),
        (Audience.RECEIVED, {"after": timedelta(1), "on": LATER}, "give one of them"),
        (Audience.OPENED, {"on": LATER}, "give days instead of a date"),
        (Audience.RECEIVED, {"on": NOON - timedelta(1)}, "in the past"),
        (Audience.RECEIVED, {"on": datetime(2027, 1, 1)}, "no time zone"),  # noqa: DTZ001  # refusing it is the test
        (Audience.RECEIVED, {"after": timedelta(-1)}, "before the mass mail's end"),
        (Audience.RECEIVED, {"after": timedelta.max}, "too late"),
        (Audience.RECEIVED, EACH, "can't count from an event, since 'received' is none"),
        (Audience.NOT_CLICKED, EACH, "can't count from an event"),
        (Audience.OPENED, {"on": LATER, "counted_from": CountedFrom.EVENT}, "give days instead of a date"),
        (Audience.OPENED, {**EACH, "within": timedelta()}, "give 1 to 3650 days"),
        (Audience.OPENED, {**EACH, "within": timedelta.max}, "give 1 to 3650 days"),
        (Audience.OPENED, {"after": timedelta(3), "within": timedelta(7)}, "take 'within' out"),
    ],
)
def test_a_follow_up_needs_one_time_that_makes_sense(audience: Audience, when: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidOrder, match=says):
        check_order(an_order(follow_ups=(FollowUp(template="a@1", audience=audience, **when),)), NOON)


def test_a_follow_ups_template_is_checked_too() -> None:
    with pytest.raises(InvalidOrder, match="'thanks' names no template revision"):
        check_order(an_order(follow_ups=(FollowUp(template="thanks", audience=Audience.RECEIVED),)), NOON)


def test_days_count_from_the_mass_mails_end_and_a_date_stands() -> None:
    dated = FollowUp(template="a@1", audience=Audience.RECEIVED, on=datetime(2026, 4, 1, 9, tzinfo=UTC))
    assert DAYS.due(NOON) == NOON + timedelta(days=3)
    assert dated.due(NOON) == dated.on
    assert [DAYS.when, dated.when] == ["3 days after the end", "on 2026-04-01 09:00 UTC"]


def test_a_follow_up_that_counts_from_events_begins_with_the_mass_mails_end() -> None:
    opened = FollowUp(template="a@1", audience=Audience.OPENED, **EACH)
    clicked = FollowUp(template="a@1", audience=Audience.CLICKED, **EACH)
    assert opened.due(NOON) == NOON
    assert [opened.when, clicked.when] == ["3 days after each one's own open", "3 days after each one's own click"]


@pytest.mark.parametrize(
    ("tags", "gist"),
    [
        (("a", "A"), "A tag is there twice"),
        (("two\nlines",), "A tag is one line of 40 characters at most"),
        ((" a",), "without spaces around it"),
        (("",), "A tag is one line"),
        (("a" * 41,), "40 characters at most"),
        (tuple(map(str, range(11))), "10 tags at most; take 1 out"),
    ],
)
def test_tags_are_few_short_and_different(tags: tuple[str, ...], gist: str) -> None:
    check_order(an_order(tags=("Herbst", "B2B", "a" * 40)), NOON)
    with pytest.raises(InvalidOrder, match=gist):
        check_order(an_order(tags=tags), NOON)
