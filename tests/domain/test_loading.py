"""What is loaded for each stage, and what keeps it from being sent."""

from datetime import datetime, timedelta

import pytest

from serienmail.domain.delivery import Counts, StageKey
from serienmail.domain.loading import Loaded, OwnDays, first_load, follow_up_load
from serienmail.domain.mass_mail import Audience, CountedFrom, FollowUp, OnMissing
from tests.builders import NOON, an_order

THANKS = FollowUp(template="thanks@2", audience=Audience.OPENED, after=timedelta(days=3), ignore="abc")
REMINDER = FollowUp(template="reminder@1", audience=Audience.NOT_OPENED, after=timedelta(days=7))


def test_recipients_of_the_mass_mail_must_be_able_to_fill_the_follow_ups_too() -> None:
    load = first_load(an_order(selection="xyz", opted_in_only=False, follow_ups=(THANKS, REMINDER)), 4)
    assert (load.key, load.revision, load.selection) == (StageKey("autumn", 0), 4, "xyz")
    assert load.templates == ("autumn@1", "thanks@2", "reminder@1")
    assert (load.opted_in_only, load.on_missing, load.audience) == (False, OnMissing.REFUSE, None)


def test_a_follow_up_has_its_own_template_audience_and_ignore_list() -> None:
    load = follow_up_load(an_order(follow_ups=(REMINDER, THANKS)), 1, 2)
    assert (load.key, load.templates) == (StageKey("autumn", 2), ("thanks@2",))
    assert (load.audience, load.ignore) == (Audience.OPENED, "abc")
    assert load.on_missing is OnMissing.EXCLUDE


def test_a_follow_up_can_wait_for_each_ones_own_event_so_long_after_the_last_mail() -> None:
    each = FollowUp(
        template="thanks@2", audience=Audience.CLICKED, after=timedelta(days=3), counted_from=CountedFrom.EVENT
    )
    load = follow_up_load(an_order(follow_ups=(each, THANKS)), 1, 1)
    assert load.own_days == OwnDays(timedelta(days=3), within=timedelta(days=30))
    assert follow_up_load(an_order(follow_ups=(each, THANKS)), 1, 2).own_days is None


DAY, HOUR, MINUTES = timedelta(days=1), timedelta(hours=1), timedelta(minutes=5)


@pytest.mark.parametrize(
    ("after", "first", "last_mail", "again"),
    [
        (3 * DAY, NOON - DAY, NOON - 2 * DAY, NOON + 2 * DAY + MINUTES),  # who opened yesterday is the next one
        (3 * DAY, NOON - DAY, NOON - 90 * DAY, NOON + 2 * DAY + MINUTES),  # and gets it, though nobody else will
        (3 * DAY, NOON - 4 * DAY, NOON - 5 * DAY, NOON + MINUTES),  # came late into the database
        (3 * DAY, None, NOON - 2 * DAY, NOON + 3 * DAY),  # who opens now isn't due before
        (timedelta(), None, NOON - 2 * DAY, NOON + HOUR),  # at once is within an hour
        (9 * DAY, None, NOON - 6 * DAY, NOON + DAY),  # nobody else can come after that
        (3 * DAY, None, NOON - 7 * DAY, None),
        (3 * DAY, None, None, None),  # no mail went out that can be opened
    ],
)
def test_people_who_come_one_by_one_are_looked_for_when_the_next_can_be_due(
    after: timedelta, first: datetime | None, last_mail: datetime | None, again: datetime | None
) -> None:
    assert OwnDays(after, within=7 * DAY).looks_again(NOON, first, last_mail) == again


def test_recipients_who_can_all_be_written_to_are_no_problem() -> None:
    assert Loaded(Counts(selected=3, excluded={"duplicate": 2})).problem is None


@pytest.mark.parametrize(
    ("loaded", "says"),
    [
        (Loaded(Counts()), "No recipients are left of 0 selected; select others."),
        (
            Loaded(Counts(selected=5, excluded={"no_opt_in": 3, "duplicate": 2})),
            "No recipients are left of 5 selected "
            "(2 duplicate of an address that is already in, 3 no opt-in for mass mail); select others.",
        ),
        (
            Loaded(Counts(selected=5), {"contact.title": 2, "contact.company": 1}),
            "Placeholders are empty for some recipients (contact.company for 1, contact.title for 2): "
            "give defaults in the template, complete the contacts, or order to exclude them.",
        ),
    ],
)
def test_a_problem_says_why_nothing_may_be_sent(loaded: Loaded, says: str) -> None:
    assert loaded.problem == says
