"""Recurring mass mails, through the command line and a real Temporal Schedule."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.states import MassMailState
from tests.starter.command_line import CommandLine, Ran, installation
from tests.world import AUTUMN, DAY, OWNER

ORDER = """
name = "Weekly"
account = "marketing"
template = "autumn"
everyone = true
"""
FOLLOW_UP = """
[[follow_up]]
template = "autumn"
audience = "received"
"""


@pytest.fixture
async def serienmail(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[CommandLine]:
    async with installation(temporal, tmp_path) as command_line:
        yield command_line


async def create(
    serienmail: CommandLine, order: str, cron: str = "0 9 * * 1", zone: str = "Europe/Berlin", name: str = "weekly"
) -> Ran:
    file = serienmail.write(f"{uuid4()}.toml", order)
    return await serienmail("schedule", "create", file, "--cron", cron, "--time-zone", zone, "--id", name)


async def test_a_schedule_starts_a_mass_mail_while_the_last_one_is_still_following_up(serienmail: CommandLine) -> None:
    world = serienmail.world
    await world.contacts(2)
    await world.services.templates.add(AUTUMN, datetime.now(UTC))
    created = await create(serienmail, f"{ORDER}{FOLLOW_UP}after_days = 3\n")
    assert (created.code, "will receive it" in created.out) == (0, True), created.err
    handle = world.mails.temporal.get_schedule_handle("recurring-mass-mail/weekly")
    for started in (1, 2):
        await handle.trigger()
        await following_up(serienmail, started)
        await asyncio.sleep(1)  # a mass mail's id has the second of its start
    assert len(world.received()) == 4
    listed = (await serienmail("schedule", "list", "--json")).document
    assert [(entry["id"], entry["cron"], entry["paused"]) for entry in listed] == [("weekly", "0 9 * * 1", False)]
    for by, word, code in (("eve", "pause", 1), ("root", "resume", 1), ("root", "pause", 0)):
        ran = await serienmail("schedule", word, "weekly", "--by", by, SERIENMAIL_ADMINISTRATORS='["root"]')
        assert ran.code == code, ran.err
    assert [(await serienmail("schedule", word, "weekly")).code for word in ("resume", "remove")] == [0, 0]
    audit = (await serienmail("audit", "recurring-mass-mail/weekly", "--json")).document
    assert [(entry["by"], entry["act"], not entry["refused"]) for entry in audit] == [
        (OWNER, "start", True), ("eve", "pause", False), ("root", "resume", False), ("root", "pause", True),
        (OWNER, "resume", True), (OWNER, "remove", True),
    ]  # fmt: skip
    gone = await serienmail("schedule", "pause", "weekly")
    assert (gone.code, "There is no schedule 'weekly'" in gone.err) == (1, True)


async def test_what_cannot_recur_is_refused(serienmail: CommandLine) -> None:
    world = serienmail.world
    await world.contacts(1)
    await world.services.templates.add(AUTUMN, datetime.now(UTC))
    a_date = f"{(datetime.now(UTC) + DAY).isoformat()}\n"
    refused = await asyncio.gather(
        create(serienmail, f"{ORDER}{FOLLOW_UP}on = {a_date}"),
        create(serienmail, f"{ORDER}due = {a_date}"),
        create(serienmail, ORDER, zone="Europe/Berln"),
        create(serienmail, ORDER, cron="every day"),
        create(serienmail, ORDER, cron="@every 1s"),
        create(serienmail, ORDER, cron="0 9 31 2 *"),
        create(serienmail, ORDER, name="x" * 90),
    )
    assert [ran.code for ran in refused] == [1] * 7
    gists = [
        "Follow-up 1 has a date",
        "take 'due' out",
        "one such as Europe/Berlin",
        "no cron expression",
        "no cron expression",
        "'0 9 31 2 *' never comes",
        "shorter",
    ]
    assert [gist for gist, ran in zip(gists, refused, strict=True) if gist not in ran.err] == []
    assert (await serienmail("schedule", "list", "--json")).document == []


async def following_up(serienmail: CommandLine, number: int) -> None:
    """Wait, in real time, until so many mass mails are following up."""
    async with asyncio.timeout(30):
        while True:
            states = [entry.state for entry in await serienmail.world.mails.list()]
            if states.count(MassMailState.FOLLOWING_UP) == number:
                return
            await asyncio.sleep(0.05)
