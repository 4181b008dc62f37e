"""Tags: given at the start, found in lists, kept by edits that say nothing of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.commands import Edit
from serienmail.domain.states import MassMailState
from tests.starter.command_line import CommandLine, installation
from tests.world import OWNER, follow_up

ORDER = 'id = "autumn"\nname = "Autumn"\naccount = "marketing"\ntemplate = "autumn"\neveryone = true\n'


@pytest.fixture
async def serienmail(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[CommandLine]:
    async with installation(temporal, tmp_path) as command_line:
        await command_line.world.contacts(1)
        await command_line.world.start("other", tags=("Winter",))
        yield command_line


async def listed(serienmail: CommandLine, tag: str) -> list[tuple[str, list[str]]]:
    found = (await serienmail("list", "--tag", tag, "--json")).document
    return [(mass_mail["id"], mass_mail["tags"]) for mass_mail in found]


async def test_a_mass_mail_is_found_by_its_tags_until_an_edit_replaces_them(serienmail: CommandLine) -> None:
    tagged = serienmail.write("tagged.toml", f'tags = ["Herbst", "B2B"]\ndue = 2099-01-01T09:00:00Z\n{ORDER}')
    started = await serienmail("start", tagged, "--yes")
    assert started.code == 0, started.err
    await serienmail.world.until("autumn", MassMailState.SCHEDULED)
    assert await listed(serienmail, "herbst") == [("autumn", ["Herbst", "B2B"])]
    assert "tags: Herbst, B2B\n" in (await serienmail("show", "autumn")).out
    assert "tags: Herbst, B2B" in await serienmail.world.details(serienmail.world.workflow("autumn"))

    silent = serienmail.write("silent.toml", f"due = 2099-01-01T10:00:00Z\n{ORDER}")
    assert (await serienmail("edit", "autumn", "--order", silent)).code == 0
    assert await listed(serienmail, "B2B") == [("autumn", ["Herbst", "B2B"])]
    assert (await serienmail("edit", "autumn", "--tag", "press")).code == 0
    assert (await serienmail("list", "--tag", "B2B")).out == "There are none.\n"
    assert await listed(serienmail, "press") == [("autumn", ["press"])]


async def test_a_tag_that_lists_could_not_show_is_refused(serienmail: CommandLine) -> None:
    order = serienmail.write("order.toml", ORDER)
    refused = await serienmail("start", order, "--tag", "two\nlines", "--yes")
    assert (refused.code, "A tag is one line of 40 characters at most" in refused.err) == (1, True)


async def test_tags_can_be_changed_when_the_mass_mail_is_out(serienmail: CommandLine) -> None:
    await serienmail.world.start("out", due=None, follow_ups=(follow_up(1),))
    await serienmail.world.until("out", MassMailState.FOLLOWING_UP)
    await serienmail.world.mails.edit("out", Edit(by=OWNER, tags=("late",)))
    assert await listed(serienmail, "late") == [("out", ["late"])]
