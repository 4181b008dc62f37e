"""A campaign obeys commands in whatever order they come, and never forgets what is out."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serienmail.domain.campaign import TEMPORAL_UI, Campaign, MassMailRun
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
    Stop,
)
from serienmail.domain.mass_mail import AsOf, Audience, FollowUp
from serienmail.domain.stage_run import StageRun
from serienmail.domain.states import MassMailState
from tests.builders import NOON, an_order

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AFTER = FollowUp(template="thanks@1", audience=Audience.RECEIVED, after=3 * DAY)
DATED = FollowUp(template="sale@1", audience=Audience.NOT_OPENED, on=NOON + 5 * DAY)


def a_campaign(**changes: Any) -> Campaign:
    order = an_order(**{"due": NOON + DAY, "follow_ups": (AFTER, DATED), **changes})
    return Campaign(MassMailRun(order=order, administrators=("root",)), NOON)


def send(campaign: Campaign, number: int = 0) -> StageRun:
    stage = campaign.stages[number]
    stage.begun = True
    campaign.enter(stage, Phase.SENDING)
    return stage


def finish_stage(campaign: Campaign, number: int = 0) -> None:
    send(campaign, number).over()
    if number == 0:
        campaign.ended = NOON + DAY


def dues(campaign: Campaign) -> list[object]:
    return [stage.due for stage in campaign.status().stages]


def test_it_waits_for_processing_until_its_first_step() -> None:
    campaign = a_campaign()
    assert campaign.status().state is MassMailState.WAITING_FOR_PROCESSING
    campaign.enter(campaign.stages[0], Phase.LOADING)
    assert campaign.status().state is MassMailState.LOADING


def test_before_it_is_sent_it_waits_for_processing_until_its_stage_tells_of_itself() -> None:
    campaign = a_campaign()
    campaign.enter(campaign.stages[0], Phase.SENDING, queued=True)
    assert campaign.status().state is MassMailState.WAITING_FOR_PROCESSING
    assert campaign.hear(0, "0 of 3 handed over", 0, "")
    assert campaign.status().state is MassMailState.SENDING
    assert not campaign.hear(0, "1 of 3 handed over", 1, "")  # progress alone
    assert campaign.hear(0, "1 of 3 handed over", 1, "until noon: it is full")
    status = campaign.status()
    assert (status.state, status.reason) == (MassMailState.WAITING_TO_CONTINUE, "until noon: it is full")


@pytest.mark.parametrize("phase", [Phase.WAITING, Phase.LOADING, Phase.SENDING])
def test_a_stop_ends_the_waiting_for_processing(phase: Phase) -> None:
    campaign = a_campaign()
    campaign.enter(campaign.stages[0], phase, queued=True)
    campaign.obey(Stop(by="anna"), NOON)
    assert campaign.status().state in (MassMailState.STOPPED, MassMailState.STOPPING)
    campaign.stages[0].drained()
    campaign.obey(Restart(by="anna"), NOON)
    assert campaign.status().state is MassMailState.SCHEDULED


def test_without_a_time_it_is_due_at_once() -> None:
    assert dues(a_campaign(due=None, follow_ups=())) == [NOON]


def test_days_are_counted_once_the_mass_mail_is_out() -> None:
    campaign = a_campaign()
    assert dues(campaign) == [NOON + DAY, None, NOON + 5 * DAY]
    finish_stage(campaign)
    assert dues(campaign) == [NOON + DAY, NOON + 4 * DAY, NOON + 5 * DAY]


def test_a_stop_is_shown_as_stopping_until_everything_in_hand_is_done() -> None:
    campaign = a_campaign()
    stage = send(campaign)
    campaign.obey(Stop(by="anna"), NOON)
    assert campaign.status().state is MassMailState.STOPPING
    assert campaign.status().reason == "stopped by anna"
    stage.drained()
    assert campaign.status().state is MassMailState.STOPPED


def test_a_stop_and_a_restart_in_one_go_are_both_seen() -> None:
    campaign = a_campaign()
    stage = send(campaign)
    campaign.obey(Stop(by="anna"), NOON)
    campaign.obey(Restart(by="anna"), NOON)
    assert (stage.stops, stage.stopped, stage.phase) == (1, False, Phase.STOPPING)
    stage.drained()
    assert stage.phase is Phase.WAITING


def test_one_follow_up_can_be_stopped_alone() -> None:
    campaign = a_campaign()
    finish_stage(campaign)
    campaign.obey(Stop(by="anna", stage=2), NOON)
    assert [stage.phase for stage in campaign.status().stages] == [Phase.OVER, Phase.WAITING, Phase.STOPPED]
    assert campaign.status().state is MassMailState.FOLLOWING_UP
    assert campaign.status().last_command == "2026-03-02 12:00 UTC, stop follow-up 2 by anna"


def test_a_restart_moves_what_was_missed_and_keeps_the_other_times() -> None:
    campaign = a_campaign()
    campaign.obey(Stop(by="anna"), NOON)
    campaign.obey(Restart(by="anna"), NOON + 2 * DAY)
    assert "Its time has passed" in campaign.status().last_refusal
    campaign.obey(Restart(by="anna", now=True), NOON + 2 * DAY)
    assert dues(campaign) == [NOON + 2 * DAY, None, NOON + 5 * DAY]


def test_a_restart_leaves_a_stage_that_is_not_stopped_at_its_time() -> None:
    campaign = a_campaign()
    campaign.obey(Stop(by="anna", stage=2), NOON)
    campaign.obey(Restart(by="anna", now=True), NOON)
    assert campaign.status().last_refusal == ""
    assert dues(campaign) == [NOON + DAY, None, NOON + 5 * DAY]


def test_an_edit_of_the_time_counts_more_than_an_earlier_restarts() -> None:
    campaign = a_campaign()
    campaign.obey(Stop(by="anna"), NOON)
    campaign.obey(Restart(by="anna", due=NOON + 3 * HOUR), NOON)
    campaign.obey(Edit(by="anna", due=NOON + DAY), NOON)
    assert dues(campaign)[0] == NOON + DAY


def test_an_edit_of_the_recipients_loads_again_and_one_of_the_name_does_not() -> None:
    campaign = a_campaign()
    campaign.obey(Edit(by="anna", name="Frühling"), NOON)
    assert (campaign.snapshot, campaign.status().revision) == (1, 2)
    campaign.obey(Edit(by="anna", selection="abc"), NOON)
    assert (campaign.snapshot, campaign.status().revision) == (2, 3)


def test_recipients_that_were_read_before_it_was_due_are_out_of_date_unless_they_are_fixed() -> None:
    due = NOON + timedelta(days=1)
    for as_of, read_at, outdated in (
        (AsOf.DUE, NOON, True),
        (AsOf.START, NOON, False),
        (AsOf.DUE, due, False),
    ):
        campaign = a_campaign(due=due, as_of=as_of)
        assert not campaign.outdated(due)  # not read at all
        campaign.loaded_at = read_at
        assert campaign.outdated(due) is outdated
        assert not campaign.outdated(due - timedelta(minutes=1))


def test_an_edit_shortly_before_delivery_stops_everything() -> None:
    campaign = a_campaign()
    campaign.obey(Edit(by="anna", name="Frühling"), NOON + DAY - timedelta(minutes=10))
    assert all(stage.stopped for stage in campaign.status().stages)
    assert "edited shortly before its time" in campaign.status().reason


def test_restarted_at_once_nobody_waits_for_the_own_local_time_until_another_time_is_given() -> None:
    campaign = a_campaign(local_time=True)
    first = campaign.stages[0]
    campaign.obey(Stop(by="anna"), NOON)
    campaign.obey(Restart(by="anna", now=True), NOON)
    assert (first.at_once, dues(campaign)[0], campaign.snapshot) == (True, NOON, 1)
    campaign.obey(Stop(by="anna"), NOON)
    campaign.obey(Restart(by="anna", due=NOON + 3 * DAY), NOON)
    assert (first.at_once, campaign.order.due, campaign.snapshot) == (False, NOON + 3 * DAY, 2)
    assert dues(campaign)[0] == NOON + 3 * DAY - 14 * HOUR


def test_a_command_has_acted_when_the_state_shows_it() -> None:
    campaign = a_campaign()
    campaign.enter(campaign.stages[0], Phase.WAITING)
    assert campaign.has_acted(NOON)
    first = send(campaign)
    campaign.obey(Stop(by="anna"), NOON)
    assert not campaign.has_acted(NOON)  # mails may be in hand
    first.drained()
    assert campaign.has_acted(NOON)
    campaign.obey(Restart(by="anna", now=True), NOON + 2 * DAY)
    assert not campaign.has_acted(NOON + 2 * DAY)
    finish_stage(campaign)
    campaign.end(MassMailState.INCOMPLETE, "1 unsubscribed")
    campaign.obey(SendAgain(by="anna"), NOON)
    assert not campaign.has_acted(NOON)
    campaign.again_asked = False
    assert campaign.has_acted(NOON)
    campaign.obey(Delete(by="anna"), NOON)
    assert not campaign.has_acted(NOON)
    campaign.end(MassMailState.DELETED, "")
    assert campaign.has_acted(NOON)


def test_a_stopped_follow_up_that_is_taken_out_holds_nothing_up() -> None:
    campaign = a_campaign()
    finish_stage(campaign)
    campaign.obey(Stop(by="anna", stage=2), NOON)
    campaign.obey(Edit(by="anna", follow_ups=(AFTER,)), NOON)
    assert campaign.status().last_refusal == ""
    assert not campaign.stages[2].stopped


def test_a_follow_up_cannot_be_added_when_everything_is_through() -> None:
    campaign = a_campaign(follow_ups=())
    finish_stage(campaign)
    campaign.end(MassMailState.INCOMPLETE, "2 unsubscribed")
    campaign.obey(Edit(by="anna", follow_ups=(AFTER,)), NOON)
    assert "Follow-up 1" in campaign.status().last_refusal
    assert campaign.order.follow_ups == ()


def test_a_run_that_replaces_a_lost_one_is_stopped_and_goes_on_counting() -> None:
    order = an_order(follow_ups=(AFTER,))
    campaign = Campaign(MassMailRun(order=order, stopped="its run was lost", snapshot=3, version=8), NOON)
    status = campaign.status()
    assert (status.state, status.reason, status.version) == (MassMailState.STOPPED, "its run was lost", 9)
    campaign.obey(Restart(by="anna", now=True), NOON)
    assert not any(stage.stopped for stage in campaign.stages)


def test_what_a_lost_run_said_last_is_known_to_the_one_that_replaces_it() -> None:
    lost = a_campaign()
    finish_stage(lost)
    send(lost, 1)
    lost.obey(Delete(by="anna", stage=2), NOON)
    said = lost.status()
    campaign = Campaign(MassMailRun(order=said.order, stopped="its run was lost", epoch=2, said=said), NOON + 9 * DAY)
    assert [stage.phase for stage in campaign.status().stages] == [Phase.OVER, Phase.STOPPED, Phase.STOPPED]
    assert dues(campaign) == dues(lost)
    campaign.obey(Restart(by="anna"), NOON + 9 * DAY)
    assert campaign.status().last_refusal == ""
    assert [stage.stopped for stage in campaign.stages] == [False, False, True, False]


def test_a_deleted_follow_up_stays_deleted_whatever_comes_after() -> None:
    campaign = a_campaign()
    finish_stage(campaign)
    send(campaign, 1)
    campaign.obey(Delete(by="anna", stage=1), NOON)
    campaign.obey(Stop(by="anna"), NOON)
    campaign.obey(Restart(by="anna"), NOON)
    stage = campaign.status().stages[1]
    assert (stage.phase, stage.stopped, stage.reason) == (Phase.STOPPING, True, "deleted by anna")


def test_nothing_is_obeyed_once_the_mass_mail_is_to_be_deleted() -> None:
    campaign = a_campaign()
    campaign.obey(Delete(by="root"), NOON)
    campaign.obey(Restart(by="anna"), NOON)
    assert campaign.deleted
    assert "it can't be changed any more" in campaign.status().last_refusal


def test_a_stop_from_the_temporal_ui_is_an_administrators() -> None:
    campaign = a_campaign()
    campaign.obey(Stop(by=TEMPORAL_UI), NOON)
    assert campaign.status().reason == "stopped by Temporal UI"


def test_what_could_not_be_read_is_remembered_as_a_refusal() -> None:
    campaign = a_campaign()
    before = campaign.status()
    campaign.obey("an edit needs by", NOON)
    after = campaign.status()
    assert after.last_refusal == "2026-03-02 12:00 UTC: an edit needs by"
    assert replace(after, version=before.version, last_refusal="") == before


def test_send_again_makes_an_incomplete_mass_mail_go_on() -> None:
    campaign = a_campaign(follow_ups=())
    finish_stage(campaign)
    campaign.end(MassMailState.INCOMPLETE, "2 unsubscribed")
    campaign.obey(SendAgain(by="anna"), NOON)
    assert campaign.again_asked
    assert campaign.status().state is MassMailState.SENDING
    campaign.obey(SendAgain(by="anna"), NOON)
    assert "nothing to send again" in campaign.status().last_refusal


def test_once_somebody_finished_it_nothing_else_that_comes_at_that_moment_is_obeyed() -> None:
    campaign = a_campaign(follow_ups=())
    finish_stage(campaign)
    campaign.end(MassMailState.INCOMPLETE, "2 unsubscribed")
    campaign.obey(Finish(by="anna"), NOON)
    campaign.obey(SendAgain(by="anna"), NOON)
    status = campaign.status()
    assert (status.state, status.reason, campaign.again_asked) == (MassMailState.FINISHED, "2 unsubscribed", False)


def test_who_is_to_get_it_again_makes_the_stage_be_sent_again_and_a_second_word_waits() -> None:
    campaign = a_campaign(follow_ups=())
    finish_stage(campaign)
    campaign.end(MassMailState.INCOMPLETE_WITH_ERRORS, "2 in doubt")
    again = Resolve(by="root", outcome=Resolution.RESEND, recipients=(1, 2))
    campaign.obey(again, NOON)
    assert (campaign.status().state, campaign.doubts) == (MassMailState.SENDING, [again])
    campaign.obey(again, NOON)
    assert "Stage 0 is sending" in campaign.status().last_refusal
    assert campaign.doubts == [again]


def test_what_arrived_leaves_the_stages_as_they_are() -> None:
    campaign = a_campaign()
    finish_stage(campaign)
    campaign.obey(Resolve(by="anna", outcome=Resolution.SENT), NOON)
    assert campaign.status().state is MassMailState.FOLLOWING_UP
    assert len(campaign.doubts) == 1


people = st.sampled_from(["anna"] * 6 + ["root", "eve", TEMPORAL_UI])
stages = st.sampled_from([None, None, 0, 1, 2, 3, 7])
times = st.none() | st.integers(-2, 9).map(lambda days: NOON + days * DAY)
rules = st.lists(st.sampled_from([AFTER, DATED, replace(AFTER, template="x@1")]), max_size=4).map(tuple)
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(Stop, by=people, stage=stages),
    st.builds(Restart, by=people, stage=stages, due=times, now=st.booleans()),
    st.builds(Delete, by=people, stage=st.sampled_from([1, 2, 3, None])),
    st.builds(Finish, by=people),
    st.builds(SendAgain, by=people),
    st.builds(Resolve, by=people, outcome=st.sampled_from(Resolution), stage=st.integers(0, 4)),
    st.builds(
        Edit, by=people, name=st.none() | st.just("x"), template=st.sampled_from([None, "b@1", "broken"]),
        selection=st.none() | st.just("abc"), due=times, follow_ups=st.none() | rules,
    ),
)  # fmt: skip
steps = st.lists(st.tuples(st.one_of(commands, st.integers(0, 3)), st.integers(0, 24)), max_size=40)


@settings(max_examples=300, deadline=None)
@given(steps)
def test_whatever_comes_nothing_raises_and_what_is_refused_changes_nothing(
    given_steps: list[tuple[Command | int, int]],
) -> None:
    campaign, now = a_campaign(), NOON
    for step, hours in given_steps:
        now += hours * HOUR
        before = campaign.status()
        if isinstance(step, int):
            _advance(campaign, campaign.stages[step])
        else:
            refused = campaign.refusal(step, now)
            campaign.obey(step, now)
            after = campaign.status()
            assert after.version > before.version
            if refused or before.state.is_final or step.by == "eve":
                same = replace(after, version=before.version, last_refusal=before.last_refusal)
                assert same == before
                assert refused and refused in after.last_refusal
        _check_what_always_holds(campaign, before.state)


def _advance(campaign: Campaign, stage: StageRun) -> None:
    """One step of the workflow: as far as a stage gets by itself."""
    if campaign.status().state.is_final:
        return
    if campaign.doubts:
        _resolve(campaign)
    elif campaign.again_asked or campaign.finish_asked:
        _answer(campaign)
    elif all(used.phase.is_ended for used in campaign.used_stages):
        campaign.end(MassMailState.DELETED if campaign.deleted else MassMailState.INCOMPLETE, "")
    elif stage.number > 0 and not campaign.stages[0].phase.is_ended:
        return
    elif stage.phase is Phase.STOPPING:
        stage.drained()
    elif stage.deleted:
        campaign.enter(stage, Phase.DELETED)
    elif stage.phase is Phase.SENDING:
        stage.over()
    elif stage.phase is Phase.WAITING and stage in campaign.used_stages:
        send(campaign, stage.number)


def _resolve(campaign: Campaign) -> None:
    said = campaign.doubts.pop()
    if said.outcome is Resolution.RESEND and campaign.stages[said.stage].phase is Phase.SENDING:
        campaign.stages[said.stage].over()


def _answer(campaign: Campaign) -> None:
    if campaign.finish_asked:
        campaign.end(MassMailState.FINISHED, "")
    else:
        campaign.goes_on()
        send(campaign)


def _check_what_always_holds(campaign: Campaign, before: MassMailState) -> None:
    after = campaign.status()
    assert not before.is_final or after.state is before
    assert len(after.stages) == len(campaign.order.follow_ups) + 1 <= 4
    assert not any(stage.stopped for stage in campaign.stages[len(after.stages) :])
    for stage in after.stages:
        assert stage.stopped == (stage.phase in (Phase.STOPPED, Phase.DELETED)) or stage.phase is Phase.STOPPING
