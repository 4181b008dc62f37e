"""One mass mail, sent while everything goes wrong, and what came of it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from pydantic import SecretStr
from temporalio.client import Client

from benchmarks.chaos.inbox import ChaosInbox
from benchmarks.chaos.installation import CONNECTIONS, TemporalServer, Workers, a_database, variables
from benchmarks.chaos.remains import leave
from benchmarks.chaos.trouble import MASS_MAIL, OWNER, PASSING, Trouble
from benchmarks.chaos.verdict import compare
from serienmail.domain.mass_mail import MassMail
from serienmail.domain.states import DeliveryState, MassMailState
from serienmail.domain.template import Template
from serienmail.mailing.account import Account
from serienmail.settings import Settings
from serienmail.storage.contacts import ContactRow
from serienmail.storage.database import Database
from serienmail.storage.migration import migrate
from starter.client import MassMails

_TEMPLATE = Template("chaos", "For {{ contact.last_name }}", text="{{ salutation }},\nautumn is here.")
_OVER = (MassMailState.FINISHED_AUTOMATICALLY, MassMailState.INCOMPLETE, MassMailState.INCOMPLETE_WITH_ERRORS)
DOMAINS = 50
"""Each a provider of its own: a 421 to one recipient makes that provider rest, and not the whole mass mail."""
_PATIENCE = 300.0
"""Seconds without a new mail, and without an end, after which it counts as stuck.

A killed worker costs 60 at most: 30 until its heartbeat is missed, and 30 until the next try.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """storm: how often it is stopped and restarted. zombies: workers that stand still and come back too late."""

    mails: int
    kills: int
    seed: int
    database: str
    storm: int = 0
    zombies: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of it.

    unknown_limit: as many mails as may be in doubt (docs/reliability.md). inbox: mails in it. silence: the longest time
    without a new one, in seconds.
    """

    mails: int
    kills: int
    seed: int
    database: str
    storm: int
    zombies: int
    sent: int
    rejected: int
    failed: int
    unknown: int
    unknown_limit: int
    duplicates: int
    lost: int
    untrue: int
    inbox: int
    seconds: float
    silence: float
    temporal_restarts: int
    database_breaks: int
    ok: bool


async def run(options: Options, folder: Path) -> Result:
    """Everything it leaves behind lies in ``folder``."""
    inbox = ChaosInbox(options.seed)
    async with AsyncExitStack() as stack:
        await inbox.start()
        stack.push_async_callback(inbox.stop)
        url = await stack.enter_async_context(a_database(options.database, folder))
        temporal = TemporalServer(folder)
        stack.push_async_callback(temporal.stop)
        client = await temporal.start()
        mails = await stack.enter_async_context(_client(url, inbox.port, client))
        await _order(mails, options.mails)
        workers = Workers(folder, variables(url, inbox.port, temporal.port))
        stack.push_async_callback(workers.end)
        trouble = Trouble(Random(options.seed), options.mails, inbox, workers, temporal, mails)
        began = time.monotonic()
        silence = await _live_through(options, trouble)
        seconds = time.monotonic() - began
        await leave(mails, folder)
        await workers.end()  # late outcomes are written before anybody compares
        return await _result(options, trouble, seconds, silence)


@asynccontextmanager
async def _client(url: str, inbox_port: int, temporal: Client) -> AsyncIterator[MassMails]:
    database = Database(url)
    await migrate(database)
    await database.close()
    account = Account(host="127.0.0.1", port=inbox_port, from_address="marketing@serienmail.example")
    settings = Settings(database_url=url, link_key=SecretStr("k" * 32), accounts={"marketing": account})
    async with MassMails.connect(settings, temporal) as mails:
        yield mails


async def _order(mails: MassMails, count: int) -> None:
    people = [
        ContactRow(key=str(n), last_name=f"Person{n}", email=f"person{n}@{n % DOMAINS}.example.org", opt_in=True)
        for n in range(1, count + 1)
    ]
    await mails.services.contacts.save(people)
    await mails.services.templates.add(_TEMPLATE, datetime.now(UTC))
    await mails.start(
        MassMail(id=MASS_MAIL, name="Chaos", created_by=OWNER, account="marketing", template="chaos", measured=False)
    )


async def _live_through(options: Options, trouble: Trouble) -> float:
    """Until it is over, or nothing moves any more; for how many seconds nothing moved at the longest."""
    happens = [
        (options.kills, trouble.kill),
        (options.storm, trouble.stop_and_restart),
        (options.zombies, trouble.freeze),
        (1 + options.kills // 5, trouble.restart_inbox),
        (1 + options.kills // 5, trouble.temporal.restart),
        (1 + options.kills // 2, trouble.break_database),
    ]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(trouble.at_random_moments(times, does)) for times, does in happens]
        tasks.append(group.create_task(trouble.workers.keep()))
        silence = await _until_over(trouble, decided=not options.storm)
        for task in tasks:
            task.cancel()
    return silence


async def _until_over(trouble: Trouble, decided: bool) -> float:
    """decided: nobody stops it on purpose, so that a stop is its end."""
    seen, since, silence = (0, MassMailState.WAITING_FOR_PROCESSING), time.monotonic(), 0.0
    while silence < _PATIENCE:
        await asyncio.sleep(0.5)
        silence = max(silence, time.monotonic() - since)
        with suppress(*PASSING):
            state = (await trouble.client.services.mass_mails.get(MASS_MAIL)).state
            if state in _OVER or (decided and state is MassMailState.STOPPED):
                break
            if state is MassMailState.STOPPED and trouble.is_calm:
                await trouble.client.restart(MASS_MAIL, by=OWNER)
            if seen != (trouble.inbox.begun, state):
                seen, since = (trouble.inbox.begun, state), time.monotonic()
    return silence


async def _result(options: Options, trouble: Trouble, seconds: float, silence: float) -> Result:
    inbox, workers = trouble.inbox, trouble.workers
    found = await compare(trouble.client.services.database, inbox, options.mails)
    unknown = found.states[DeliveryState.UNKNOWN]
    unknown_limit = CONNECTIONS * (workers.kills + workers.freezes) + found.cut + inbox.unread
    return Result(
        mails=options.mails,
        kills=workers.kills,
        seed=options.seed,
        database=options.database,
        storm=options.storm,
        zombies=workers.freezes,
        sent=found.states[DeliveryState.SENT],
        rejected=found.states[DeliveryState.REJECTED],
        failed=found.states[DeliveryState.FAILED],
        unknown=unknown,
        unknown_limit=unknown_limit,
        duplicates=found.duplicates,
        lost=found.lost,
        untrue=found.untrue,
        inbox=sum(len(accepted) for accepted in inbox.accepted.values()),
        seconds=round(seconds, 1),
        silence=round(silence, 1),
        temporal_restarts=trouble.temporal.restarts,
        database_breaks=trouble.database_breaks,
        ok=not (found.duplicates or found.lost or found.untrue) and unknown <= unknown_limit,
    )
