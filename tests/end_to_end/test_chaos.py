"""One mass mail while workers are killed and servers break: nobody gets two mails, nobody is lost."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from benchmarks.chaos.inbox import ChaosInbox
from benchmarks.chaos.remains import FILE, leave
from benchmarks.chaos.trouble import MASS_MAIL
from benchmarks.chaos.verdict import Verdict, compare
from serienmail.domain.delivery import Answer, outcome
from serienmail.domain.delivery import Verdict as Said
from serienmail.storage.database import Database
from tests.builders import NOON, a_job, an_open_stage, claim
from tests.world import an_account, world_on

ROOT = Path(__file__).parents[2]
WITHIN = 240  # seconds; most of them wait for the missing heartbeats of killed workers


@pytest.mark.parametrize(("database", "seed"), [("sqlite", 1), ("postgresql", 2)])
async def test_three_hundred_mails_survive_kills_restarts_and_a_mail_server_that_misbehaves(
    database: str, seed: int
) -> None:
    result = await chaos("--mails=300", "--kills=3", f"--seed={seed}", f"--database={database}")
    assert result["ok"], result
    assert (result["duplicates"], result["lost"], result["untrue"]) == (0, 0, 0)
    assert (result["kills"], result["temporal_restarts"]) == (3, 1)
    assert result["sent"] + result["rejected"] + result["failed"] + result["unknown"] == 300
    assert result["unknown"] <= result["unknown_limit"]


async def chaos(*options: str) -> Any:
    """What the program says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.chaos", "--json", *options), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(WITHIN):
            output, _ = await process.communicate()
    except TimeoutError:
        process.send_signal(signal.SIGINT)  # it ends its workers and servers
        await process.wait()
        raise
    return json.loads(output)


async def test_what_a_failed_run_leaves_behind_tells_why_each_slice_isn_t_over(
    temporal: WorkflowEnvironment, tmp_path: Path
) -> None:
    nobody_listens = {"away": an_account(1)}
    async with world_on(temporal, tmp_path, f"sqlite+aiosqlite:///{tmp_path}/x.db", accounts=nobody_listens) as world:
        await world.contacts(1)
        await world.start(MASS_MAIL, account="away", due=None)
        async with asyncio.timeout(30):
            left = ""
            while "can't be reached" not in left:
                await asyncio.sleep(0.1)
                await leave(world.mails, tmp_path)
                left = (tmp_path / FILE).read_text()
    assert "sending: " in left
    assert "mass-mail/chaos/stage-0/1: RUNNING" in left
    assert '"attempt": 2' in left


async def compared(database: Database, said: Said, inbox: ChaosInbox) -> Verdict:
    """The comparison of one row with this outcome and what the inbox has."""
    ledger = await an_open_stage(database, 1)
    claimed = await claim(ledger, a_job(), NOON)
    assert claimed
    await ledger.record(outcome(claimed, Answer(said), NOON))
    return await compare(database, inbox, 1)


@pytest.fixture
def inbox() -> ChaosInbox:
    return ChaosInbox(seed=1)


async def test_an_accepted_mail_that_is_called_sent_is_right(database: Database, inbox: ChaosInbox) -> None:
    inbox.accepted["person1@example.org"] = ["<1.0.1@main>"]
    found = await compared(database, Said.ACCEPTED, inbox)
    assert (found.duplicates, found.lost, found.untrue) == (0, 0, 0)


async def test_two_accepted_mails_are_a_duplicate(database: Database, inbox: ChaosInbox) -> None:
    inbox.accepted["person1@example.org"] = ["<1.0.1@main>", "<1.0.1@main>"]
    assert (await compared(database, Said.ACCEPTED, inbox)).duplicates == 1


async def test_what_is_called_sent_and_is_not_in_the_inbox_is_lost(database: Database, inbox: ChaosInbox) -> None:
    assert (await compared(database, Said.ACCEPTED, inbox)).lost == 1


async def test_who_still_waits_at_the_end_is_lost(database: Database, inbox: ChaosInbox) -> None:
    assert (await compared(database, Said.DEFERRED, inbox)).lost == 1


async def test_an_accepted_mail_that_is_called_rejected_is_untrue(database: Database, inbox: ChaosInbox) -> None:
    inbox.accepted["person1@example.org"] = ["<1.0.1@main>"]
    inbox.refused["person1@example.org"] = 550
    assert (await compared(database, Said.REJECTED, inbox)).untrue == 1


async def test_a_doubt_counts_as_explained_only_if_the_inbox_broke_off(database: Database, inbox: ChaosInbox) -> None:
    assert (await compared(database, Said.IN_DOUBT, inbox)).cut == 0
    inbox.cut.add("person1@example.org")
    assert (await compare(database, inbox, 1)).cut == 1
