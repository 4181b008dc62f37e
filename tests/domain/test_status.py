"""The state that people see follows from the stages, and at the end from the counts."""

from dataclasses import replace
from datetime import timedelta

import pytest

from serienmail.domain.commands import Phase, StageStatus
from serienmail.domain.delivery import Counts
from serienmail.domain.states import Folder, MassMailState
from serienmail.domain.status import Status, as_of, state_at_the_end, state_of
from tests.builders import NOON, an_order


@pytest.mark.parametrize(
    ("phases", "state"),
    [
        ([Phase.LOADING], MassMailState.LOADING),
        ([Phase.WAITING, Phase.WAITING], MassMailState.SCHEDULED),
        ([Phase.WAITING, Phase.STOPPED], MassMailState.SCHEDULED),
        ([Phase.SENDING, Phase.WAITING], MassMailState.SENDING),
        ([Phase.WAITING_TO_CONTINUE], MassMailState.WAITING_TO_CONTINUE),
        ([Phase.STOPPED, Phase.WAITING], MassMailState.STOPPED),
        ([Phase.STOPPING, Phase.STOPPED], MassMailState.STOPPING),
        ([Phase.OVER, Phase.WAITING], MassMailState.FOLLOWING_UP),
        ([Phase.OVER, Phase.STOPPED, Phase.SENDING], MassMailState.FOLLOWING_UP),
        ([Phase.OVER, Phase.OVER, Phase.STOPPED], MassMailState.STOPPED),
        ([Phase.OVER, Phase.STOPPING, Phase.SENDING], MassMailState.STOPPING),
        ([Phase.OVER, Phase.DELETED], MassMailState.FOLLOWING_UP),
        ([Phase.DELETED, Phase.DELETED], MassMailState.DELETED),
    ],
)
def test_a_mass_mails_state_follows_from_its_stages(phases: list[Phase], state: MassMailState) -> None:
    assert state_of({n: StageStatus(number=n, phase=phase) for n, phase in enumerate(phases)}) is state


@pytest.mark.parametrize(
    ("counts", "state", "reason"),
    [
        ({0: Counts(by_state={"sent": 5})}, MassMailState.FINISHED_AUTOMATICALLY, ""),
        ({0: Counts(excluded={"duplicate": 2, "ignored": 1})}, MassMailState.FINISHED_AUTOMATICALLY, ""),
        (
            {0: Counts(excluded={"no_opt_in": 2, "duplicate": 1, "unsubscribed": 1})},
            MassMailState.INCOMPLETE,
            "2 no opt-in for mass mail, 1 unsubscribed",
        ),
        ({0: Counts(), 1: Counts(excluded={"unsubscribed": 1})}, MassMailState.FINISHED_AUTOMATICALLY, ""),
        (
            {
                0: Counts(excluded={"no_opt_in": 9}, by_state={"rejected": 1, "failed": 2}),
                1: Counts(by_state={"failed": 1}),
            },
            MassMailState.INCOMPLETE_WITH_ERRORS,
            "1 rejected by their servers, 3 failed",
        ),
        ({0: Counts(by_state={"unknown": 4})}, MassMailState.INCOMPLETE_WITH_ERRORS, "4 in doubt"),
        ({0: Counts(), 1: Counts(by_state={"pending": 2})}, MassMailState.INCOMPLETE_WITH_ERRORS, "2 still due"),
    ],
)
def test_how_it_ends_follows_from_the_counts(counts: dict[int, Counts], state: MassMailState, reason: str) -> None:
    assert state_at_the_end(counts) == (state, reason)


def test_the_next_time_is_that_of_the_first_stage_that_waits() -> None:
    stages = (
        StageStatus(number=0, phase=Phase.OVER, due=NOON),
        StageStatus(number=1, phase=Phase.STOPPED, due=NOON + timedelta(days=1)),
        StageStatus(number=2, phase=Phase.WAITING, due=NOON + timedelta(days=9)),
        StageStatus(number=3, phase=Phase.WAITING, due=NOON + timedelta(days=3)),
    )
    status = Status(order=an_order(), state=MassMailState.FOLLOWING_UP, stages=stages)
    assert status.scheduled_at == NOON + timedelta(days=3)
    assert Status(order=an_order(), state=MassMailState.STOPPED, stages=stages[:2]).scheduled_at is None


def test_every_state_lies_in_a_folder_and_only_three_are_final() -> None:
    final = {state for state in MassMailState if state.is_final}
    assert final == {MassMailState.FINISHED, MassMailState.FINISHED_AUTOMATICALLY, MassMailState.DELETED}
    in_scheduled = {state for state in MassMailState if state.folder is Folder.SCHEDULED}
    assert in_scheduled == {
        MassMailState.WAITING_FOR_PROCESSING, MassMailState.LOADING, MassMailState.SCHEDULED,
    }  # fmt: skip


@pytest.mark.parametrize("phase", [Phase.WAITING, Phase.LOADING, Phase.SENDING])
def test_what_no_worker_has_taken_up_waits_for_processing(phase: Phase) -> None:
    queued = StageStatus(number=0, phase=phase, queued=True)
    assert state_of({0: queued}) is MassMailState.WAITING_FOR_PROCESSING
    assert queued.words == "waiting for processing"


def test_one_whose_time_came_without_anybody_s_notice_waits_for_processing() -> None:
    waiting = StageStatus(number=0, phase=Phase.WAITING, due=NOON)
    status = Status(order=an_order(), state=MassMailState.SCHEDULED, stages=(waiting,))
    assert as_of(status, NOON - timedelta(seconds=1)) == status
    assert as_of(status, NOON).state is MassMailState.WAITING_FOR_PROCESSING
    stopped = replace(status, state=MassMailState.STOPPED)
    assert as_of(stopped, NOON) == stopped
