"""Whatever is given to the command line, it does it or refuses it in words; nothing ends as a traceback."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.starter.command_line import CommandLine, installation

TEMPLATE = 'name = "autumn"\nsubject = {}\ntext = "x"\n'
NO_UTF8 = "\udcff"


@pytest.fixture
async def serienmail(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[CommandLine]:
    """The command line of an empty installation."""
    async with installation(temporal, tmp_path) as command_line:
        yield command_line


async def test_arguments_that_are_no_utf_8_are_refused_in_words(serienmail: CommandLine) -> None:
    for arguments in (("template", "show", NO_UTF8), ("lists", "add", "fair", "1", NO_UTF8), ("show", NO_UTF8)):
        refused = await serienmail(*arguments)
        assert (refused.code, "this isn't UTF-8" in " ".join(refused.err.split())) == (2, True), refused.err


@pytest.mark.parametrize("file", ["x" * 10_000, "missing/all.csv", "."])
async def test_a_file_that_cannot_be_written_is_refused_in_words(serienmail: CommandLine, file: str) -> None:
    refused = await serienmail("suppressions", "export", file)
    assert refused.code == 1
    assert "can't be used" in refused.err
    assert len(refused.err) < 300


async def test_names_have_an_end(serienmail: CommandLine) -> None:
    page = serienmail.write("page.html", "<p>x</p>")
    action = serienmail.write("call.toml", 'name = "Call"\n[task]\ntype = "call"\nsubject = "x"\n')
    for arguments in (
        ("template", "import", page, "--name", "x" * 10_000, "--subject", "x"),
        ("action", "save", "x" * 10_000, action),
        ("lists", "create", "x" * 10_000),
    ):
        refused = await serienmail(*arguments)
        assert (refused.code, "100 characters" in refused.err) == (1, True), refused.err[-300:]


@pytest.mark.parametrize("subject", ["\u202eevil", "e\u0301" * 50, "\N{FAMILY}\u200d\N{GRINNING FACE}", "x" * 100_000])
async def test_any_letters_make_a_subject(serienmail: CommandLine, subject: str) -> None:
    await serienmail.world.contacts(1)
    added = await serienmail("template", "add", serienmail.write("autumn.toml", TEMPLATE.format(f'"{subject}"')))
    assert added.code == 0, added.err
    sent = await serienmail("test-mail", "autumn", "--to", "anna@example.org", "--contact", "1", "--json")
    assert sent.code == 0, sent.err
    [mail] = serienmail.world.inbox.messages()
    assert mail.message["Subject"] == f"[Test] {subject}"
