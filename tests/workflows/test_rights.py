"""Rights hold for whoever asks in whatever way, and every command is on record, the refused ones too."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.commands import Edit, Restart, Stop
from serienmail.domain.errors import CommandRefused
from serienmail.domain.rights import Role
from serienmail.domain.states import MassMailState
from tests.world import OWNER, World, world_on
from workflows.mass_mail import MassMailWorkflow

USERS = {OWNER: Role.SEND, "bert": Role.SEND, "vera": Role.VIEW, "carla": Role.ADMINISTER}


@pytest.fixture
async def world(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[World]:
    """An installation whose users have roles."""
    url = f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
    async with world_on(temporal, tmp_path, url, users=USERS) as world:
        await world.contacts(1)
        yield world


async def record(world: World, mass_mail_id: str) -> list[tuple[str, str, bool]]:
    """Who commanded what, and whether it was obeyed."""
    return [(entry.by, entry.act, not entry.refused) for entry in await world.services.audit.of(mass_mail_id)]


async def test_who_may_only_look_starts_nothing_and_that_is_on_record(world: World) -> None:
    with pytest.raises(CommandRefused, match="needs the role 'send'"):
        await world.start("viewed", created_by="vera")
    assert await world.services.mass_mails.find("viewed") is None
    assert await record(world, "viewed") == [("vera", "start", False)]


async def test_a_command_by_client_update_or_signal_meets_the_same_rule(world: World) -> None:
    await world.start("mine")
    await world.until("mine", MassMailState.SCHEDULED)
    with pytest.raises(CommandRefused, match=f"Only {OWNER}, who created this mass mail, may edit it"):
        await world.mails.edit("mine", Edit(by="bert", name="Mine"))
    with pytest.raises(WorkflowUpdateFailedError):
        await world.workflow("mine").execute_update(MassMailWorkflow.submit, Edit(by="carla", name="Mine"))
    await world.workflow("mine").signal("stop", Stop(by="vera"))
    assert (await world.mails.stop("mine", by="carla")).reason == "stopped by carla"
    await world.until("mine", MassMailState.STOPPED)
    await world.workflow("mine").signal("restart", Restart(by="carla"))
    await world.mails.delete("mine", by="bert")
    assert (await world.mails.wait("mine")).state is MassMailState.DELETED
    assert await record(world, "mine") == [
        (OWNER, "start", True), ("bert", "edit", False), ("vera", "stop", False), ("carla", "stop", True),
        ("carla", "restart", False), ("bert", "delete", True),
    ]  # fmt: skip


async def test_the_record_tells_what_a_command_changed(world: World) -> None:
    order = await world.start("edited")
    await world.until("edited", MassMailState.SCHEDULED)
    assert order.due is not None
    due = order.due + timedelta(days=1)
    await world.mails.edit("edited", Edit(by=OWNER, name="Later", due=due))
    await world.workflow("edited").signal("finish", "please")
    await world.mails.stop("edited", by=OWNER)
    await world.until("edited", MassMailState.STOPPED)
    edit: Any
    edit, garbage, stop = (await world.services.audit.of("edited"))[1:]
    assert (edit.before["name"], edit.after["name"]) == ("Autumn", "Later")
    assert edit.before.keys() == edit.after.keys() == {"state", "name", "due"}
    assert (garbage.by, garbage.act, "could not be read" in garbage.refused) == ("", "unreadable", True)
    assert (stop.before, stop.after["state"]) == ({"state": "scheduled"}, "stopped")


async def test_a_finished_mass_mail_is_deleted_by_a_colleague_and_once_on_record(world: World) -> None:
    await world.start("over", due=None)
    await world.mails.wait("over")
    with pytest.raises(CommandRefused, match="may view only"):
        await world.mails.delete("over", by="vera")
    assert (await world.mails.delete("over", by="bert")).state is MassMailState.DELETED
    assert await record(world, "over") == [
        (OWNER, "start", True), ("vera", "delete", False), ("bert", "delete", True),
    ]  # fmt: skip
