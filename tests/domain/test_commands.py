"""Who may tell a mass mail what, and when."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from serienmail.domain.commands import (
    Command,
    Delete,
    Edit,
    Finish,
    Phase,
    Resolution,
    Resolve,
    Restart,
    SendAgain,
    Situation,
    StageStatus,
    Stop,
    edit_stops,
    past_due,
    refusal,
)
from serienmail.domain.mass_mail import Audience, FollowUp
from serienmail.domain.rights import Users
from serienmail.domain.states import MassMailState
from tests.builders import NOON, an_order

HOUR = timedelta(hours=1)
RULE = FollowUp(template="thanks@1", audience=Audience.RECEIVED, after=timedelta(days=3))
DATED = FollowUp(template="thanks@1", audience=Audience.RECEIVED, on=NOON - HOUR)
OTHER = FollowUp(template="other@1", audience=Audience.RECEIVED, after=timedelta(days=3))


def a_stage(number: int, phase: Phase, **changes: Any) -> StageStatus:
    stopped = phase in (Phase.STOPPED, Phase.STOPPING)
    begun = phase in (Phase.SENDING, Phase.WAITING_TO_CONTINUE, Phase.OVER)
    return replace(StageStatus(number=number, phase=phase, stopped=stopped, begun=begun), **changes)


def a_situation(*stages: StageStatus, state: MassMailState = MassMailState.SCHEDULED, **changes: Any) -> Situation:
    order = an_order(due=NOON + HOUR, follow_ups=(RULE,) * (len(stages) - 1))
    by_number = {stage.number: stage for stage in stages}
    situation = Situation(order=order, state=state, stages=by_number, now=NOON, users=Users(administrators=("root",)))
    return replace(situation, **changes)


WAITING = a_situation(a_stage(0, Phase.WAITING, due=NOON + HOUR), a_stage(1, Phase.WAITING))
SENDING = a_situation(a_stage(0, Phase.SENDING), a_stage(1, Phase.WAITING), state=MassMailState.SENDING)
STOPPED = a_situation(a_stage(0, Phase.STOPPED, begun=True), a_stage(1, Phase.STOPPED), state=MassMailState.STOPPED)
FOLLOWING = a_situation(a_stage(0, Phase.OVER), a_stage(1, Phase.WAITING), state=MassMailState.FOLLOWING_UP)
THROUGH = a_situation(a_stage(0, Phase.OVER), a_stage(1, Phase.OVER), state=MassMailState.INCOMPLETE)
EVERY_COMMAND: list[Command] = [Edit(by="anna", name="x"), Stop(by="anna"), Restart(by="anna"), Delete(by="anna"),
                                Finish(by="anna"), SendAgain(by="anna"),
                                Resolve(by="anna", outcome=Resolution.SENT)]  # fmt: skip


@pytest.mark.parametrize("command", EVERY_COMMAND)
@pytest.mark.parametrize("state", [MassMailState.FINISHED, MassMailState.FINISHED_AUTOMATICALLY, MassMailState.DELETED])
def test_a_finished_mass_mail_cannot_be_changed(command: Command, state: MassMailState) -> None:
    refused = refusal(command, replace(THROUGH, state=state))
    assert refused == f"This mass mail is {state.replace('_', ' ')}; it can't be changed any more."


@pytest.mark.parametrize("command", EVERY_COMMAND)
def test_nothing_can_be_commanded_while_it_is_being_deleted(command: Command) -> None:
    assert refusal(command, replace(THROUGH, deleted=True)) is not None
    assert refusal(command, replace(STOPPED, deleted=True)) is not None


@pytest.mark.parametrize("command", EVERY_COMMAND)
@pytest.mark.parametrize("situation", [WAITING, SENDING, STOPPED, FOLLOWING, THROUGH])
def test_strangers_may_do_nothing(command: Command, situation: Situation) -> None:
    refused = refusal(replace(command, by="eve"), situation)
    assert refused is not None
    assert refused.startswith("Only anna, who created this mass mail,")


@pytest.mark.parametrize("command", EVERY_COMMAND)
def test_administrators_may_stop_delete_and_resolve_what_others_created(command: Command) -> None:
    refused = refusal(replace(command, by="root"), FOLLOWING)
    assert (refused is None) == isinstance(command, Stop | Delete | Resolve)


@pytest.mark.parametrize(
    ("situation", "accepted"),
    [
        (WAITING, "edit stop delete"),
        (SENDING, "stop delete"),
        (STOPPED, "edit restart delete"),
        (FOLLOWING, "edit stop delete resolve"),
        (THROUGH, "edit delete finish send_again resolve"),
    ],
)
def test_each_command_has_its_time(situation: Situation, accepted: str) -> None:
    assert " ".join(command.kind for command in EVERY_COMMAND if refusal(command, situation) is None) == accepted


@pytest.mark.parametrize(
    ("situation", "edit", "says"),
    [
        (SENDING, {"template": "new@1"}, "It is sending: stop it first"),
        (FOLLOWING, {"template": "new@1"}, "only its follow-ups, name and tags can still be edited"),
        (STOPPED, {"selection": "abc"}, "the selection can't be changed any more"),
        (STOPPED, {"opted_in_only": False}, "the selection can't be changed any more"),
        (STOPPED, {"due": NOON + HOUR}, "Its sending has begun"),
        (WAITING, {"due": NOON - HOUR}, "in the past"),
        (WAITING, {"template": "new"}, "name@revision"),
        (WAITING, {"name": ""}, "needs a name"),
        (THROUGH, {"follow_ups": (OTHER,)}, "Follow-up 1 has begun"),
        (THROUGH, {"follow_ups": ()}, "Follow-up 1 has begun"),
        (FOLLOWING, {"follow_ups": (replace(RULE, after=timedelta(-1)),)}, "before the mass mail's end"),
    ],
)
def test_an_edit_that_comes_too_late_or_makes_no_sense_is_refused(
    situation: Situation, edit: dict[str, Any], says: str
) -> None:
    assert says in (refusal(Edit(by="anna", **edit), situation) or "")


@pytest.mark.parametrize(
    ("situation", "edit"),
    [
        (WAITING, {"selection": "abc", "due": NOON + 2 * HOUR, "template": "new@1", "follow_ups": ()}),
        (STOPPED, {"template": "new@1"}),
        (FOLLOWING, {"follow_ups": (OTHER, RULE)}),
        (FOLLOWING, {"follow_ups": ()}),
    ],
)
def test_what_has_not_begun_can_be_edited(situation: Situation, edit: dict[str, Any]) -> None:
    assert refusal(Edit(by="anna", **edit), situation) is None


def test_one_follow_up_can_be_edited_after_the_date_of_another_has_passed() -> None:
    stages = a_stage(0, Phase.OVER), a_stage(1, Phase.OVER), a_stage(2, Phase.WAITING)
    situation = a_situation(*stages, order=an_order(follow_ups=(DATED, RULE)))
    assert refusal(Edit(by="anna", follow_ups=(DATED, OTHER)), situation) is None
    assert "in the past" in (refusal(Edit(by="anna", follow_ups=(DATED, DATED)), situation) or "")


def test_a_follow_up_cannot_be_added_where_one_is_over() -> None:
    stages = {0: a_stage(0, Phase.OVER), 1: a_stage(1, Phase.WAITING), 2: a_stage(2, Phase.OVER)}
    refused = refusal(Edit(by="anna", follow_ups=(RULE, OTHER)), replace(FOLLOWING, stages=stages))
    assert refused == "Follow-up 2 has begun or is over; it can't be changed any more."


@pytest.mark.parametrize(
    ("due", "phase", "stops"),
    [
        (NOON + timedelta(minutes=15), Phase.WAITING, True),
        (NOON + timedelta(minutes=16), Phase.WAITING, False),
        (NOON + timedelta(minutes=5), Phase.STOPPED, False),
        (None, Phase.WAITING, False),
    ],
)
def test_an_edit_shortly_before_delivery_stops_the_mass_mail_with_its_follow_ups(
    due: Any, phase: Phase, stops: bool
) -> None:
    situation = a_situation(a_stage(0, phase, due=due), a_stage(1, Phase.WAITING))
    assert edit_stops(Edit(by="anna", name="x"), situation) == ((0, 1) if stops else ())


def test_while_recipients_are_read_it_can_be_edited_and_shortly_before_its_time_that_stops_it() -> None:
    reading = a_situation(a_stage(0, Phase.LOADING, due=NOON + HOUR), a_stage(1, Phase.WAITING))
    edit = Edit(by="anna", name="x")
    assert (refusal(edit, reading), edit_stops(edit, reading)) == (None, ())
    soon = a_situation(a_stage(0, Phase.LOADING, due=NOON), a_stage(1, Phase.WAITING))
    assert (refusal(edit, soon), edit_stops(edit, soon)) == (None, (0, 1))


def test_an_edit_of_a_follow_up_shortly_before_its_delivery_stops_that_one_alone() -> None:
    soon = {"due": NOON + timedelta(minutes=10)}
    stages = a_stage(0, Phase.OVER), a_stage(1, Phase.WAITING, **soon), a_stage(2, Phase.WAITING, **soon)
    situation = a_situation(*stages, order=an_order(follow_ups=(RULE, RULE)))
    assert edit_stops(Edit(by="anna", follow_ups=(RULE, OTHER)), situation) == (2,)
    assert edit_stops(Edit(by="anna", follow_ups=(RULE,)), situation) == ()
    assert edit_stops(Edit(by="anna", name="x"), situation) == ()


@pytest.mark.parametrize(
    ("situation", "command", "says"),
    [
        (WAITING, Stop(by="anna", stage=2), "There is no stage 2"),
        (WAITING, Delete(by="anna", stage=2), "There is no stage 2"),
        (FOLLOWING, Stop(by="anna", stage=0), "everything is out"),
        (FOLLOWING, Delete(by="anna", stage=0), "Stage 0 is over"),
        (STOPPED, Stop(by="anna"), "stopped already"),
        (WAITING, Restart(by="anna"), "isn't stopped"),
        (WAITING, Finish(by="anna"), "wait until it is incomplete"),
        (FOLLOWING, Resolve(by="anna", outcome=Resolution.SENT, stage=2), "There is no stage 2"),
        (SENDING, Resolve(by="anna", outcome=Resolution.SENT), "Stage 0 is sending; its mails in doubt"),
        (FOLLOWING, Resolve(by="anna", outcome=Resolution.SENT, stage=1), "Stage 1 is waiting"),
        (FOLLOWING, Resolve(by="anna", outcome=Resolution.SENT, recipients=(7,) * 1001), "name 1000 at most"),
        (STOPPED, Restart(by="anna", due=NOON - HOUR, stage=1), "in the past"),
        (STOPPED, Restart(by="anna", due=NOON + HOUR), "Stage 0 has begun and would go on at once"),
    ],
)
def test_a_refusal_says_what_to_do(situation: Situation, command: Command, says: str) -> None:
    assert says in (refusal(command, situation) or "")


def test_a_restart_after_the_time_has_passed_needs_a_new_one_or_now() -> None:
    missed = a_stage(0, Phase.STOPPED, due=NOON - HOUR)
    situation = a_situation(missed, state=MassMailState.STOPPED)
    refused = refusal(Restart(by="anna"), situation)
    assert refused == (
        "Its time has passed (stage 0 was due 2026-03-02 11:00 UTC): restart it with a new time, or with now."
    )
    assert past_due(situation, None) == [missed]
    assert refusal(Restart(by="anna", now=True), situation) is None
    assert refusal(Restart(by="anna", due=NOON + HOUR), situation) is None


@pytest.mark.parametrize("change", [{"phase": Phase.DELETED}, {"deleted": True}])
def test_a_deleted_follow_up_asks_for_no_new_time_and_cannot_be_restarted(change: dict[str, Any]) -> None:
    deleted = replace(a_stage(1, Phase.STOPPED, due=NOON - HOUR), **change)
    situation = a_situation(a_stage(0, Phase.STOPPED, due=NOON + HOUR), deleted, state=MassMailState.STOPPED)
    assert past_due(situation, None) == []
    assert refusal(Restart(by="anna"), situation) is None
    assert refusal(Restart(by="anna", stage=1, now=True), situation) is not None
    assert refusal(Edit(by="anna", follow_ups=(OTHER,)), situation) is not None


def test_an_edit_changes_only_what_it_names() -> None:
    order = an_order(due=NOON, follow_ups=(RULE,), opted_in_only=True)
    assert Edit(by="anna").apply(order) == order
    assert Edit(by="anna", opted_in_only=False).apply(order) == replace(order, opted_in_only=False)
    assert Edit(by="anna", follow_ups=()).apply(order) == replace(order, follow_ups=())
