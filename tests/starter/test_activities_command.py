"""What triggers left beside contacts, shown on the command line."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.states import MassMailState
from serienmail.domain.trigger import Triggered
from tests.builders import a_contact
from tests.starter.command_line import CommandLine, installation
from tests.world import AUTUMN

ORDER = """
name = "Autumn"
account = "marketing"
template = "autumn"
everyone = true

[[trigger]]
on = "opened"
task = [{subject = "Send a sample", due_days = 3, assignee = "b.mueller"}]
call = [{subject = "Ask how they like it", after_hours = 24}]
"""


@pytest.fixture
async def serienmail(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[CommandLine]:
    """A mass mail to two people, of whom the first has opened it."""
    async with installation(temporal, tmp_path) as command_line:
        world = command_line.world
        await world.services.contacts.save([a_contact(number, key=f"K-{number}") for number in (1, 2)])
        await world.services.templates.add(AUTUMN, datetime.now(UTC))
        order = command_line.write("order.toml", ORDER)
        assert (await command_line("start", order, "--id", "autumn", "--now", "--yes")).code == 0
        await world.until("autumn", MassMailState.FINISHED_AUTOMATICALLY)
        await world.opened(1)
        await world.services.visits.judge(datetime.max.replace(tzinfo=UTC))
        await world.services.triggers.carry_out(Triggered("autumn", 0, 1, "opened"), datetime.now(UTC))
        yield command_line


async def test_activities_of_a_mass_mail_and_of_a_contact_are_shown(serienmail: CommandLine) -> None:
    shown = await serienmail("activities", "--mass-mail", "autumn")
    assert [line.split()[0] for line in shown.out.splitlines()][:2] == ["what", "call"], shown.err
    assert "Send a sample" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80
    tasks = (await serienmail("activities", "--contact", "K-1", "--kind", "task", "--json")).document
    assert [(task["subject"], task["assigned"], task["contact"]) for task in tasks] == [
        ("Send a sample", ["b.mueller"], "K-1")
    ]
    assert (await serienmail("activities", "--contact", "K-2")).out == "There are none.\n"
    assert (await serienmail("activities", "--contact", "K-1", "--module", "lead")).out == "There are none.\n"


async def test_the_report_tells_what_else_was_created(serienmail: CommandLine) -> None:
    page = serienmail.folder / "report.html"
    told = await serienmail("report", "autumn")
    assert [line.split() for line in told.out.splitlines()[-3:]] == [
        ["created", "in", "the", "CRM"], ["call", "1"], ["task", "1"],
    ]  # fmt: skip
    document = (await serienmail("report", "autumn", "--json", "--html", str(page))).document
    assert document["created"] == {"call": 1, "task": 1}
    assert "<li>task: 1</li>" in page.read_text()


async def test_activities_of_a_mass_mail_that_there_is_not_are_refused(serienmail: CommandLine) -> None:
    refused = await serienmail("activities", "--mass-mail", "spring")
    assert (refused.code, refused.err.strip()) == (
        1, "There is no mass mail 'spring'; 'serienmail list' shows those there are.",
    )  # fmt: skip
