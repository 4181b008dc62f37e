"""What the documents say is true: commands exist, examples run, links and paths lead somewhere."""

import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment
from typer.core import TyperGroup
from typer.main import get_command

from serienmail.domain.states import MassMailState
from starter.cli import app
from tests.world import AUTUMN, World, world_on

ROOT = Path(__file__).parent.parent
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
TARGETS = set(re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))


def name_of(document: Path) -> str:
    """How the tests call a document."""
    return str(document.relative_to(ROOT))


def blocks(document: Path, language: str) -> list[str]:
    """The contents of a document's fenced blocks in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)


COMMANDS = {line for document in DOCUMENTS for block in blocks(document, "sh") for line in block.splitlines()}


@pytest.mark.parametrize("command_line", sorted(COMMANDS))
def test_a_command_in_a_document_can_be_given(command_line: str) -> None:
    match shlex.split(command_line, comments=True):
        case ["make", target, *_]:
            assert target in TARGETS
        case ["serienmail", *arguments] | ["python", "-m", "starter", *arguments]:
            command = get_command(app)
            while isinstance(command, TyperGroup):
                command = command.commands[arguments.pop(0)]
            command.make_context(command.name, arguments)  # parses, and runs nothing
        case ["python", "-m", str(program), *arguments] if program.startswith("benchmarks."):
            help_of_it = [sys.executable, "-m", program, "--help"]
            shown = subprocess.run(help_of_it, check=True, cwd=ROOT, capture_output=True, text=True)
            assert [word for word in arguments if word.startswith("--") and word not in shown.stdout] == []
        case _:
            pytest.fail("only make, serienmail and benchmarks stand in shell blocks; write other commands as text")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_and_image_leads_to_a_file(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", document.read_text())
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_heading_that_is_linked_to_exists(document: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", document.read_text()):
        headings = re.findall(r"^#+ (.+)$", (document.parent / target).read_text(), re.MULTILINE)
        assert anchor in [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_test_that_a_document_names_exists(document: Path) -> None:
    named = re.findall(r"`(tests/[\w/.]+)::(\w+)`", document.read_text())
    assert [f"{path}::{name}" for path, name in named if f"def {name}(" not in (ROOT / path).read_text()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_path_in_a_document_exists(document: Path) -> None:
    folders = "serienmail|starter|workflows|activities|web|tests|deploy|examples"
    paths = re.findall(rf"`((?:{folders})/[\w/.-]*)`", document.read_text())
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", sorted((ROOT / "docs/adr").glob("0*.md")), ids=name_of)
def test_a_decision_is_listed_and_has_its_three_parts(document: Path) -> None:
    assert f"({document.name})" in (ROOT / "docs/adr/README.md").read_text()
    assert re.findall(r"^## (.+)$", document.read_text(), re.MULTILINE) == ["Context", "Decision", "Consequences"]


@pytest.fixture
async def world(
    temporal: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    """An installation that ``MassMails.connect()`` finds as a reader's code would: by environment variables."""
    database_url = f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
    async with world_on(temporal, tmp_path, database_url) as world:
        account, settings = world.services.settings.accounts["marketing"], world.services.settings
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("SERIENMAIL_DATABASE_URL", database_url)
        monkeypatch.setenv("SERIENMAIL_LINK_KEY", settings.link_key.get_secret_value())
        monkeypatch.setenv("SERIENMAIL_ACCOUNTS__MARKETING__HOST", account.host)
        monkeypatch.setenv("SERIENMAIL_ACCOUNTS__MARKETING__FROM_ADDRESS", account.from_address)
        monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.client.service_client.config.target_host)
        yield world


def examples(document: str) -> list[Any]:
    """The coroutine functions of a document's Python blocks, in their order."""
    names: dict[str, Any] = {}
    exec("\n".join(blocks(ROOT / document, "python")), names)
    return [found for found in names.values() if inspect.iscoroutinefunction(found)]


async def test_the_readme_s_example_starts_a_mass_mail_with_a_follow_up(world: World) -> None:
    await world.services.templates.add(AUTUMN, datetime.now(UTC))
    await world.contacts(3, city="Ulm")
    for example in examples("README.md"):
        await example()
    await world.skip("autumn-2026", timedelta(hours=2))
    status = await world.until("autumn-2026", MassMailState.FOLLOWING_UP)
    assert len(world.received()) == 3
    assert len(status.order.follow_ups) == 1


async def test_the_developers_examples_run_one_after_the_other(world: World) -> None:
    await world.contacts(3, city="Ulm")
    for example in examples("docs/how-to/developers.md"):
        await example(world.mails)
        if example.__name__ == "start":  # a reader, too, edits it once it is loaded
            await world.until("autumn", MassMailState.SCHEDULED)
    assert await world.until("autumn", MassMailState.DELETED)


async def test_the_examples_of_triggers_run(world: World) -> None:
    await world.services.templates.add(AUTUMN, datetime.now(UTC))
    await world.contacts(1)
    for example in examples("docs/how-to/triggers.md"):
        await example(world.mails)
