"""What is loaded for each stage, and what keeps it from being sent."""

from datetime import timedelta

import pytest

from serienmail.domain.delivery import Counts, StageKey
from serienmail.domain.loading import Loaded, first_load, follow_up_load
from serienmail.domain.mass_mail import Audience, FollowUp, OnMissing
from tests.builders import an_order

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
