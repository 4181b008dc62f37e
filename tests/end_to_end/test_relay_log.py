"""Workers are killed while they hand mails to a real Postfix: its log leaves no doubt about any of them."""

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from pydantic import SecretStr
from sqlalchemy import select

from benchmarks.chaos.installation import TemporalServer, Workers, a_database, variables
from serienmail.domain.mass_mail import MassMail
from serienmail.domain.template import Template
from serienmail.settings import Settings
from serienmail.storage.contacts import ContactRow
from serienmail.storage.database import Database
from serienmail.storage.migration import migrate
from serienmail.storage.tables import delivery
from starter.client import MassMails
from starter.inbox import Inbox
from tests.builders import NOON
from tests.postfix import Postfix, a_postfix
from tests.world import an_account

MAILS = 300
KILLED_AT = (60, 61, 62)
"""So many mails have arrived: each time one of the two workers is killed. All at once, since each kill that comes alone
costs the half minute in which Temporal waits for the dead worker's heartbeat."""
WITHIN = 200  # seconds; most of them wait for the missing heartbeats of killed workers


@dataclass
class Installation:
    """Everything of one installation that a test looks at."""

    mails: MassMails
    inbox: Inbox
    workers: Workers

    def received(self) -> Counter[str]:
        """How many mails each recipient got."""
        return Counter(mail.recipient for mail in self.inbox.messages())

    async def until_received(self, mails: int) -> None:
        """Postfix delivers when it likes to."""
        while True:
            if self.received().total() >= mails:
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def an_installation(kind: str, root: Path) -> AsyncIterator[Installation]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="serienmail-relay")))
        inbox = Inbox(folder / "inbox", 0)
        await inbox.start()
        stack.push_async_callback(inbox.stop)
        postfix = await stack.enter_async_context(a_postfix(root, inbox.port))
        url = await stack.enter_async_context(a_database(kind, folder))
        temporal = TemporalServer(folder)
        client = await temporal.start()
        stack.push_async_callback(temporal.stop)
        workers = Workers(folder, _variables(url, postfix, temporal.port))
        stack.push_async_callback(workers.end)
        settings = Settings(
            database_url=url,
            link_key=SecretStr("k" * 32),
            accounts={"marketing": an_account(postfix.port)},
            slice_size=20,
        )
        await _migrate(url)
        mails = await stack.enter_async_context(MassMails.connect(settings, client))
        yield Installation(mails, inbox, workers)


def _variables(url: str, postfix: Postfix, temporal_port: int | None) -> dict[str, str]:
    given = variables(url, postfix.port, temporal_port)
    accounts = json.loads(given["SERIENMAIL_ACCOUNTS"])
    accounts["marketing"]["relay_log"] = str(postfix.log)
    return given | {"SERIENMAIL_ACCOUNTS": json.dumps(accounts)}


async def _migrate(url: str) -> None:
    database = Database(url)
    await migrate(database)
    await database.close()


async def _start(mails: MassMails) -> None:
    people = [ContactRow(key=str(n), email=f"person{n}@example.org", opt_in=True) for n in range(1, MAILS + 1)]
    await mails.services.contacts.save(people)
    await mails.services.templates.add(Template("spring", "Spring", text="It is spring."), NOON)
    order = MassMail(id="spring", name="Spring", created_by="anna", account="marketing", template="spring")
    await mails.start(order)


async def _kill_now_and_then(installation: Installation, seed: int) -> None:
    chance = Random(seed)
    for arrived in KILLED_AT:
        await installation.until_received(arrived)
        await installation.workers.kill(chance)


async def _states(database: Database) -> Counter[str]:
    async with database.read() as connection:
        return Counter((await connection.execute(select(delivery.c.state))).scalars())


async def _run(kind: str, root: Path, seed: int) -> tuple[Counter[str], Counter[str], int]:
    """Each row's state, how many mails each recipient got, and the number of kills."""
    async with an_installation(kind, root) as installation:
        keeping = asyncio.create_task(installation.workers.keep())
        await _start(installation.mails)
        killing = asyncio.create_task(_kill_now_and_then(installation, seed))
        async with asyncio.timeout(WITHIN):
            await installation.mails.wait("spring")
            await killing
            await installation.until_received(MAILS)
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        states = await _states(installation.mails.services.database)
        return states, installation.received(), installation.workers.kills


async def test_whoever_is_killed_nobody_is_in_doubt_nobody_lost_and_nobody_gets_two(postfix_root: Path) -> None:
    results = await asyncio.gather(_run("sqlite", postfix_root, 1), _run("postgresql", postfix_root, 2))
    for states, received, kills in results:
        assert kills == len(KILLED_AT)
        assert states == {"sent": MAILS}
        assert received == dict.fromkeys([f"person{n}@example.org" for n in range(1, MAILS + 1)], 1)
