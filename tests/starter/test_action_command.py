"""Notes, tasks and a mail for a group, in any combination, on the command line."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.states import MassMailState
from tests.builders import a_contact
from tests.starter.command_line import CommandLine, installation
from tests.world import AUTUMN

GROUP = 'name = "Visit"\nrecipients = {field = "city", op = "eq", value = "Ulm"}\n'
NOTE = '[note]\ntype = "Letter"\nsubject = "Got the catalogue"\n'
TASK = '[task]\ntype = "Visit"\nsubject = "Show the new model"\nassignee = "carla"\nends = 2099-12-01T09:00:00+01:00\n'
MAIL = 'account = "marketing"\ntemplate = "autumn"\ndue = 2099-12-01T09:00:00+01:00\n'


@pytest.fixture
async def serienmail(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[CommandLine]:
    """Two contacts in Ulm, one in Bonn, and the template ``autumn``."""
    async with installation(temporal, tmp_path) as command_line:
        services = command_line.world.services
        await services.contacts.save([a_contact(n, city="Bonn" if n == 3 else "Ulm") for n in (1, 2, 3)])
        await services.templates.add(AUTUMN, datetime.now(UTC))
        yield command_line


async def test_notes_and_tasks_without_a_mail_are_counted_asked_about_and_created(serienmail: CommandLine) -> None:
    file = serienmail.write("action.toml", GROUP + NOTE + TASK)
    refused = await serienmail("action", "run", file, "--id", "visit", answer="n\n")
    assert (refused.code, refused.err.splitlines()[-1]) == (1, "Run 'visit'? [y/N] Nothing was created.")
    assert "2 notes: Got the catalogue (Letter)\n2 tasks: Show the new model (Visit)" in refused.out
    done = await serienmail("action", "run", file, "--id", "visit", "--yes", "--json")
    assert done.document == {"id": "visit", "people": 2, "created": 4, "mail": False}, done.err
    tasks = (await serienmail("activities", "--kind", "task", "--json")).document
    assert [(task["contact"], task["assigned"]) for task in tasks] == [("2", ["carla"]), ("1", ["carla"])]
    assert (await serienmail("list", "--json")).document == []


async def test_with_a_mail_that_is_due_later_notes_are_there_at_once_and_stay_if_it_is_deleted(
    serienmail: CommandLine,
) -> None:
    file = serienmail.write("action.toml", GROUP + MAIL + NOTE)
    done = await serienmail("action", "run", file, "--id", "visit", "--yes")
    assert done.out.endswith("The mail is started.\n"), done.err
    await serienmail.world.until("visit", MassMailState.SCHEDULED)
    assert (await serienmail("delete", "visit")).code == 0
    assert len((await serienmail("activities", "--kind", "note", "--json")).document) == 2


async def test_what_is_wrong_with_note_task_or_mail_creates_nothing(serienmail: CommandLine) -> None:
    wrong = {
        GROUP: "The action creates nothing",
        GROUP + NOTE.replace("type", "typ"): "There is no key 'note: typ'",
        GROUP + '[note]\nsubject = "a"\n': "The note needs a type",
        'name = "Visit"\n' + NOTE: "doesn't say who gets it",
        GROUP + MAIL.replace("autumn", "spring") + NOTE: "spring",
        GROUP.replace("Ulm", "Rome") + NOTE: "Nobody is selected",
    }
    for content, says in wrong.items():
        refused = await serienmail("action", "run", serienmail.write("action.toml", content), "--yes")
        assert (refused.code, says in refused.err) == (1, True), refused.err
    assert (await serienmail("activities", "--json")).document == []


async def test_an_action_is_saved_as_a_template_and_run_for_any_group(serienmail: CommandLine) -> None:
    whole = serienmail.write("whole.toml", GROUP + NOTE)
    refused = await serienmail("action", "save", "visit", whole)
    assert (refused.code, "take 'recipients' out" in refused.err) == (1, True)
    saved = await serienmail("action", "save", "visit", serienmail.write("action.toml", 'name = "Visit"\n' + NOTE))
    assert saved.code == 0, saved.err
    assert (await serienmail("action", "list")).out == "visit\n"
    bonn = '{field = "city", op = "eq", value = "Bonn"}'
    done = await serienmail("action", "run", "--saved", "visit", "--where", bonn, "--yes", "--json")
    assert (done.document["people"], done.document["created"]) == (1, 1), done.err
    both = await serienmail("action", "run", whole, "--saved", "visit")
    assert (both.code, "one of the two" in both.err) == (2, True)
