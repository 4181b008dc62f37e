"""Running mass mails survive a deploy: what this code did before, it would do again."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from workflows.delivery import DeliveryWorkflow
from workflows.follow_up import FollowUpWorkflow
from workflows.mass_mail import MassMailWorkflow

HISTORIES = sorted(Path(__file__).parent.glob("*.json"))


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_history_is_replayed(path: Path) -> None:
    replayer = Replayer(
        workflows=[MassMailWorkflow, DeliveryWorkflow, FollowUpWorkflow], data_converter=pydantic_data_converter
    )
    await replayer.replay_workflow(WorkflowHistory.from_json(f"mass-mail/{path.stem}", path.read_text()))


def test_the_histories_show_every_part_of_a_mass_mails_life() -> None:
    lives = {"waiting", "edited", "stopped", "restarted", "sending", "following-up"}
    assert lives <= {path.stem for path in HISTORIES}


def test_no_history_tells_who_recorded_it_or_who_got_a_mail() -> None:
    for path in HISTORIES:
        text = path.read_text()
        assert not [word for word in ("Person1", "example.org", "site-packages", "/home/") if word in text]
