"""Every command to mass mails and schedules is on record: who, what, about what, and what it changed or why not."""

import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import update
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.commands import Edit, Resolution, Stop
from serienmail.domain.errors import CommandRefused
from serienmail.domain.states import MassMailState
from serienmail.storage.tables import delivery
from starter.client import MassMails
from starter.schedules import Schedules
from tests.builders import a_contact
from tests.world import OWNER, World, world_on

Given = Callable[[World], Awaitable[object]]
READS = {"connect", "prepare", "status", "statistics", "breakdown", "list", "wait", "until_loaded", "limits"}
NO_COMMANDS = {"select", "run", "as_run", "require"}  # steps of those that are
SCHEDULE = "recurring-mass-mail/weekly"


async def scheduled(world: World) -> None:
    await world.start("autumn")
    await world.until("autumn", MassMailState.SCHEDULED)


async def stopped(world: World) -> None:
    await scheduled(world)
    await world.mails.stop("autumn", by=OWNER)


async def incomplete(world: World) -> None:
    await world.services.contacts.save([a_contact(9, opt_in=False)])
    await world.start("autumn", due=None)
    await world.until("autumn", MassMailState.INCOMPLETE)


async def in_doubt(world: World) -> None:
    await incomplete(world)
    async with world.services.database.write() as connection:
        await connection.execute(update(delivery).where(delivery.c.seq == 1).values(state="unknown", doubted=True))


async def lost(world: World) -> None:
    await scheduled(world)
    await world.workflow("autumn").terminate()


async def recurring(world: World) -> None:
    order = await world.order("weekly", due=None)
    await Schedules(world.mails).create(order, "0 9 * * 1", "Europe/Berlin")


async def nothing(world: World) -> None:
    pass


COMMANDS: dict[str, tuple[Given, Given, str, str, str]] = {
    "start": (nothing, lambda w: w.start("autumn"), OWNER, "start", "autumn"),
    "edit": (scheduled, lambda w: w.mails.edit("autumn", Edit(by=OWNER, name="x")), OWNER, "edit", "autumn"),
    "stop": (scheduled, lambda w: w.mails.stop("autumn", by="root"), "root", "stop", "autumn"),
    "submit": (scheduled, lambda w: w.mails.submit("autumn", Stop(by=OWNER)), OWNER, "stop", "autumn"),
    "restart": (stopped, lambda w: w.mails.restart("autumn", by=OWNER), OWNER, "restart", "autumn"),
    "send_again": (incomplete, lambda w: w.mails.send_again("autumn", by=OWNER), OWNER, "send again", "autumn"),
    "finish": (incomplete, lambda w: w.mails.finish("autumn", by=OWNER), OWNER, "finish", "autumn"),
    "delete": (scheduled, lambda w: w.mails.delete("autumn", by=OWNER), OWNER, "delete", "autumn"),
    "resolve": (
        in_doubt, lambda w: w.mails.resolve("autumn", OWNER, Resolution.SENT), OWNER, "resolve", "autumn",
    ),
    "repair": (lost, lambda w: w.mails.repair("root"), "root", "repair", "autumn"),
    "change_limits": (
        nothing, lambda w: w.mails.change_limits("marketing", "root", per_hour=9), "root", "change_limits",
        "limits of marketing",
    ),
    "create": (nothing, recurring, OWNER, "start", SCHEDULE),
    "pause": (recurring, lambda w: Schedules(w.mails).pause("weekly", OWNER), OWNER, "pause", SCHEDULE),
    "resume": (recurring, lambda w: Schedules(w.mails).resume("weekly", OWNER), OWNER, "resume", SCHEDULE),
    "remove": (recurring, lambda w: Schedules(w.mails).remove("weekly", "root"), "root", "remove", SCHEDULE),
}  # fmt: skip


def test_the_table_has_every_command() -> None:
    known = COMMANDS.keys() | READS | NO_COMMANDS
    for kind in (MassMails, Schedules):
        methods = {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}
        assert methods <= known


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_command_is_on_record(temporal: WorkflowEnvironment, tmp_path: Path, name: str) -> None:
    given, command, by, act, about = COMMANDS[name]
    url = f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
    async with world_on(temporal, tmp_path, url) as world:
        await world.contacts(1)
        await given(world)
        try:
            await command(world)
            await world.until_recorded(by, act, about)
        finally:
            if about == SCHEDULE and name != "remove":
                await world.mails.temporal.get_schedule_handle(SCHEDULE).delete()


@pytest.mark.parametrize("act", ["pause", "resume", "remove"])
async def test_nobody_else_s_schedule_is_touched_and_the_attempt_is_on_record(
    temporal: WorkflowEnvironment, tmp_path: Path, act: str
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
    async with world_on(temporal, tmp_path, url) as world:
        await world.contacts(1)
        await recurring(world)
        try:
            with pytest.raises(CommandRefused, match=f"Only {OWNER}, who created this schedule,"):
                await getattr(Schedules(world.mails), act)("weekly", "eve")
            assert [(r.by, r.act, bool(r.refused)) for r in await world.services.audit.of(SCHEDULE)] == [
                (OWNER, "start", False), ("eve", act, True),
            ]  # fmt: skip
        finally:
            await world.mails.temporal.get_schedule_handle(SCHEDULE).delete()
