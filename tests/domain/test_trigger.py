"""What sets a trigger off, and which triggers are refused."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from serienmail.domain.activity import NewCall, NewTask
from serienmail.domain.contact import BUILT_IN_FIELDS, FieldType
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.mass_mail import Audience, FollowUp, check_order
from serienmail.domain.trigger import (
    MOST_TRIGGERS,
    FieldUpdate,
    On,
    Trigger,
    check_hooks,
    check_targets,
    check_triggers,
    check_updates,
)
from tests.builders import NOON, an_order

OFFER = "https://www.example.org/offer"
UPDATE = FieldUpdate("city", "Ulm")
OPENED = Trigger(on=On.OPENED, updates=(UPDATE,))
TASK, CALL = NewTask(subject="Send a sample"), NewCall(subject="Ask how it went")
FIELDS = {**BUILT_IN_FIELDS, "revenue": FieldType.NUMBER, "vip": FieldType.BOOLEAN, "since": FieldType.DATE}


def test_a_trigger_tells_what_it_does() -> None:
    trigger = Trigger(
        on=On.OPENED,
        updates=(FieldUpdate("city", "Ulm"),),
        tasks=(NewTask(subject="Write"),),
        calls=(NewCall(subject="Ask"),),
        hook="crm",
    )
    assert trigger.actions == "city becomes Ulm, a task 'Write', a call 'Ask', crm is told"
    assert Trigger(on=On.OPENED, tasks=(NewTask(subject="Write"),)).actions == "a task 'Write'"


@pytest.mark.parametrize(
    ("trigger", "happening", "target", "is_set_off"),
    [
        (Trigger(on=On.OPENED), "opened", None, True),
        (Trigger(on=On.OPENED), "clicked", OFFER, True),  # who clicks has opened, pictures or not
        (Trigger(on=On.OPENED), "machine_opened", None, False),
        (Trigger(on=On.CLICKED), "clicked", OFFER, True),
        (Trigger(on=On.CLICKED), "opened", None, False),
        (Trigger(on=On.CLICKED), "machine_clicked", OFFER, False),
        (Trigger(on=On.CLICKED, link=OFFER), "clicked", OFFER, True),
        (Trigger(on=On.CLICKED, link=OFFER), "clicked", f"{OFFER}/2", False),
        (Trigger(on=On.CLICKED, link=OFFER), "machine_clicked", OFFER, False),
        (Trigger(on=On.BOUNCED), "bounced", None, True),
        (Trigger(on=On.BOUNCED), "failed", None, True),
        (Trigger(on=On.BOUNCED), "deferred", None, False),
        (Trigger(on=On.BOUNCED), "complained", None, False),
    ],
)
def test_a_trigger_is_set_off_by_what_persons_do_alone(
    trigger: Trigger, happening: str, target: str | None, is_set_off: bool
) -> None:
    assert trigger.is_set_off_by(happening, target) is is_set_off


def test_a_trigger_keeps_its_key_while_its_actions_are_edited_and_has_it_alone() -> None:
    assert replace(OPENED, updates=(), tasks=(TASK,)).key == OPENED.key == "opened"
    links = [Trigger(on=On.CLICKED, link=link).key for link in ("", OFFER, f"{OFFER}/2")]
    assert len(set(links)) == 3
    assert all(len(key) < 20 for key in links)


def test_as_many_actions_as_a_trigger_may_have_are_accepted() -> None:
    updates = (UPDATE, FieldUpdate("vip", True), FieldUpdate("revenue", 1))
    full = Trigger(on=On.CLICKED, link=OFFER, updates=updates, tasks=(TASK,) * 2, calls=(CALL,) * 2, hook="crm")
    check_triggers([full, replace(full, link=""), OPENED, Trigger(on=On.BOUNCED, updates=(UPDATE,), hook="crm")],
                   measured=True)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"updates": ()}, "'opened' does nothing; give it an action"),
        ({"updates": tuple(FieldUpdate(f"field{n}", n) for n in range(4))}, "more than 3 updates"),
        ({"tasks": (TASK,) * 3}, "more than 2 tasks"),
        ({"calls": (CALL,) * 3}, "more than 2 calls"),
        ({"updates": (UPDATE, UPDATE)}, "updates a field twice"),
        ({"link": OFFER}, "Only a click has a link"),
        ({"on": On.BOUNCED, "tasks": (TASK,)}, "bounce can update fields and tell a hook only"),
        ({"on": On.BOUNCED, "calls": (CALL,)}, "bounce can update fields and tell a hook only"),
        ({"tasks": (NewTask(subject=" "),)}, "A task of the trigger 'opened' needs a subject"),
        ({"calls": (NewCall(subject="a\nb"),)}, "A call of the trigger 'opened' needs a subject"),
        ({"tasks": (NewTask(subject="a", due_after=timedelta(days=-1)),)}, "at once or within 3650 days"),
    ],
)
def test_a_trigger_that_cannot_be_carried_out_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidOrder, match=says):
        check_triggers([replace(OPENED, **changes)], measured=True)


def test_two_triggers_for_one_event_are_refused_and_so_are_too_many() -> None:
    with pytest.raises(InvalidOrder, match="Two triggers wait for 'opened'"):
        check_triggers([OPENED, replace(OPENED, hook="crm")], measured=True)
    many = [Trigger(on=On.CLICKED, link=f"{OFFER}/{n}", hook="crm") for n in range(MOST_TRIGGERS + 1)]
    with pytest.raises(InvalidOrder, match="10 triggers at most; take 1 out"):
        check_triggers(many, measured=True)


def test_a_mail_that_is_not_measured_can_only_bounce() -> None:
    check_triggers([Trigger(on=On.BOUNCED, updates=(UPDATE,))], measured=False)
    with pytest.raises(InvalidOrder, match="needs measured = true"):
        check_triggers([OPENED], measured=False)


def test_an_order_is_checked_with_the_triggers_of_its_follow_ups() -> None:
    rule = FollowUp(template="a@1", audience=Audience.RECEIVED, after=timedelta(), triggers=(OPENED, OPENED))
    with pytest.raises(InvalidOrder, match="Two triggers"):
        check_order(an_order(follow_ups=(rule,)), NOON)


@pytest.mark.parametrize(
    ("field", "value"), [("city", "Ulm"), ("vip", False), ("revenue", 1.5), ("revenue", 3), ("since", "2026-12-01")]
)
def test_a_field_takes_a_value_of_its_type(field: str, value: Any) -> None:
    check_updates([Trigger(on=On.OPENED, updates=(FieldUpdate(field, value),))], FIELDS)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("email", "a", "can't change 'email'"),
        ("opt_in", True, "can't change 'opt_in'"),  # only the person agrees
        ("tracking", True, "can't change 'tracking'"),
        ("key", "1", "can't change 'key'"),
        ("shoe_size", 43, "no field 'shoe_size'"),
        ("city", 3, "holds a text, which '3' isn't"),
        ("city", "a\0b", "holds a text"),
        ("vip", "yes", "holds a boolean"),
        ("revenue", True, "holds a number"),
        ("revenue", float("nan"), "holds a number"),
        ("revenue", 1e300, "holds a number"),
        ("since", "1.12.2026", "holds a date"),
        ("since", "20261201", "holds a date"),
    ],
)
def test_an_update_that_its_field_cannot_hold_is_refused(field: str, value: Any, says: str) -> None:
    with pytest.raises(InvalidOrder, match=says):
        check_updates([Trigger(on=On.OPENED, updates=(FieldUpdate(field, value),))], FIELDS)


def test_a_link_that_the_mail_does_not_have_and_an_unknown_hook_are_refused() -> None:
    clicked = Trigger(on=On.CLICKED, link=OFFER, hook="crm")
    check_targets([clicked, OPENED], [OFFER])
    check_hooks([clicked, OPENED], ["crm"])
    with pytest.raises(InvalidOrder, match="it has none"):
        check_targets([clicked], [])
    with pytest.raises(InvalidOrder, match="choose one of erp"):
        check_hooks([clicked], ["erp"])
