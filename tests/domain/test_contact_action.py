"""Notes and tasks for a group are refused with a sentence, or they can be created."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from serienmail.domain.contact_action import (
    LARGEST_GROUP,
    ContactAction,
    GroupNote,
    GroupTask,
    check_action,
    check_group,
)
from serienmail.domain.errors import InvalidOrder
from tests.builders import NOON

NOTE = GroupNote(type="Letter", subject="Got the catalogue")
TASK = GroupTask(type="Visit", subject="Show the new model")
DAY = timedelta(days=1)


def an_action(**fields: Any) -> ContactAction:
    """Anna's, for everyone."""
    return ContactAction(**{"id": "autumn", "by": "anna", "selection": "everyone", **fields})


@pytest.mark.parametrize(
    ("fields", "each"),
    [
        ({"note": NOTE}, 1),
        ({"task": TASK}, 1),
        ({"note": NOTE, "task": TASK}, 2),
        ({"task": GroupTask(type="Visit", subject="Show", starts_at=NOON + DAY, ends_at=NOON + DAY)}, 1),
        ({"task": GroupTask(type="Visit", subject="Show", starts_at=NOON - DAY, ends_at=NOON)}, 1),
    ],
)
def test_a_note_a_task_or_both_are_accepted(fields: dict[str, Any], each: int) -> None:
    check_action(an_action(**fields), NOON)
    assert an_action(**fields).each == each


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "creates nothing"),
        ({"note": NOTE, "id": "Autumn 1"}, "lower-case letters"),
        ({"note": GroupNote(type=" ", subject="a")}, "The note needs a type"),
        ({"note": GroupNote(type="Letter", subject="")}, "The note needs a subject"),
        ({"task": GroupTask(type="", subject="a")}, "The task needs a type"),
        ({"task": GroupTask(type="Visit", subject="a\nb")}, "The task needs a subject"),
        ({"task": GroupTask(type="Visit", subject="a", ends_at=NOON - DAY)}, "end before it starts"),
        ({"task": GroupTask(type="Visit", subject="a", starts_at=NOON + DAY, ends_at=NOON)}, "end before it starts"),
        ({"task": GroupTask(type="Visit", subject="a", starts_at=datetime(2027, 1, 1))}, "no time zone"),  # noqa: DTZ001
    ],
)
def test_an_action_that_cannot_be_run_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidOrder, match=says):
        check_action(an_action(**fields), NOON)


def test_a_group_has_two_thousand_records_at_most() -> None:
    check_group(LARGEST_GROUP)
    with pytest.raises(InvalidOrder, match="2001 are selected, and an action is for 2000 at most"):
        check_group(LARGEST_GROUP + 1)
    with pytest.raises(InvalidOrder, match="Nobody is selected"):
        check_group(0)
