"""`limits`: everybody sees them, administrators change them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.errors import CommandRefused
from tests.starter.command_line import CommandLine, installation


@pytest.fixture
async def serienmail(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[CommandLine]:
    """The command line of a fresh installation whose administrator is ``root``."""
    async with installation(temporal, tmp_path) as commands:
        commands.variables["SERIENMAIL_ADMINISTRATORS"] = '["root"]'
        yield commands


async def test_an_administrator_changes_a_limit_and_it_is_shown_with_who_and_when(serienmail: CommandLine) -> None:
    changed = await serienmail("limits", "set", "marketing", "--per-hour", "500", "--by", "root", "--json")
    assert changed.document[0]["limits"]["per_hour"] == 500
    shown = await serienmail("limits", "show")
    assert "marketing, changed by root at" in " ".join(shown.out.split())
    assert "per hour" in shown.out
    back = await serienmail("limits", "set", "marketing", "--per-hour", "0", "--by", "root", "--json")
    assert back.document[0]["limits"]["per_hour"] is None


async def test_nobody_else_may_and_the_refusal_says_who(serienmail: CommandLine) -> None:
    refused = await serienmail("limits", "set", "marketing", "--per-hour", "500")
    assert (refused.code, refused.err.strip()) == (
        1,
        "Only an administrator may change limits (root); ask one.",
    )
    with pytest.raises(CommandRefused, match="administrator"):
        await serienmail.world.mails.change_limits("marketing", by="a.schmidt", per_hour=500)
    assert (await serienmail.world.mails.limits())[0].changed_by is None
    records = await serienmail.world.services.audit.of("limits of marketing")
    assert [(record.by, bool(record.refused)) for record in records] == [("a.schmidt", True), ("a.schmidt", True)]


async def test_limits_that_make_no_sense_are_refused(serienmail: CommandLine) -> None:
    refused = await serienmail("limits", "set", "marketing", "--block", "50", "--by", "root")
    assert "A block needs a pause" in refused.err
    unknown = await serienmail("limits", "set", "nowhere", "--per-hour", "5", "--by", "root")
    assert "choose one of: marketing" in unknown.err


async def test_limits_can_be_changed_while_temporal_is_away_and_it_says_who_wasn_t_told(
    serienmail: CommandLine,
) -> None:
    serienmail.variables["TEMPORAL_ADDRESS"] = "127.0.0.1:1"
    changed = await serienmail("limits", "set", "marketing", "--per-hour", "5", "--by", "root")
    assert changed.code == 0
    assert "go on at their time, for they couldn't be told: Temporal can't be reached" in changed.err
    assert (await serienmail.world.mails.limits())[0].limits.per_hour == 5
