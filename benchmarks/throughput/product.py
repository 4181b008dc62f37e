"""One mass mail through the whole product: Temporal on a file, the ledger, worker processes."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from benchmarks.people import make_people
from benchmarks.throughput.message import ACCOUNT, LINK_KEY, SENDER, TEMPLATE
from benchmarks.throughput.processes import Processes, cpu_seconds, largest_mb, workers
from benchmarks.throughput.receiving import Received, Sink
from serienmail.domain.errors import EnvironmentFault
from serienmail.domain.mass_mail import MassMail
from serienmail.domain.states import DeliveryState, MassMailState
from serienmail.mailing.account import Account
from serienmail.settings import Settings
from serienmail.storage.database import Database
from serienmail.storage.migration import migrate
from serienmail.storage.tables import delivery
from starter.client import MassMails
from starter.temporal_server import start_temporal
from workflows.names import SEND_QUEUE

_ID = "benchmark"
_READY_WITHIN = 60.0
_STUCK = (MassMailState.STOPPED, MassMailState.INCOMPLETE, MassMailState.INCOMPLETE_WITH_ERRORS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """connections: of each worker. slice_size: recipients for each send activity; None: the product's own choice."""

    mails: int
    workers: int
    connections: int
    slice_size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """seconds: from the order to its end, loading included. cpu_seconds: of all workers in that time.

    rss_mb: of the largest worker. duplicates: mails beyond each recipient's one. lost: recipients without their mail.
    max_events: of the workflow run with the longest history.
    """

    seconds: float
    cpu_seconds: float
    rss_mb: float
    duplicates: int
    lost: int
    max_events: int


async def send(options: Options, sink: Sink, database_url: str, folder: Path) -> Sent:
    """database_url: of an empty database. Everything else that is left behind lies in ``folder``."""
    settings = _settings(options, sink, database_url)
    async with _temporal(folder) as client:
        await _migrate(settings)
        async with MassMails.connect(settings, client) as mails:
            await _import(mails, options.mails)
            variables = _variables(settings, client.service_client.config.target_host)
            async with workers(options.workers, folder / "worker.log", variables) as processes:
                await _until_they_listen(client, processes)
                return await _measured(mails, processes, options.mails, sink)


@asynccontextmanager
async def _temporal(folder: Path) -> AsyncIterator[Client]:
    environment = await start_temporal(folder / "temporal.db", log=folder / "temporal.log")
    async with environment:
        with environment.with_time_skipping_disabled():
            yield environment.client


def _settings(options: Options, sink: Sink, database_url: str) -> Settings:
    together = options.connections * options.workers  # they divide an account's connections
    account = Account(host=sink.host, port=sink.port, from_address=SENDER, connections=together)
    return Settings(
        database_url=database_url,
        web_base_url="https://mail.serienmail.example",
        link_key=LINK_KEY,
        accounts={ACCOUNT: account},
        slice_size=options.slice_size,
    )


def _variables(settings: Settings, temporal: str) -> dict[str, str]:
    account = settings.accounts[ACCOUNT].model_dump(include={"host", "port", "from_address", "connections"})
    return {
        "SERIENMAIL_DATABASE_URL": settings.database_url,
        "SERIENMAIL_WEB_BASE_URL": settings.web_base_url,
        "SERIENMAIL_LINK_KEY": settings.link_key.get_secret_value(),
        "SERIENMAIL_ACCOUNTS": json.dumps({ACCOUNT: account}),
        "TEMPORAL_ADDRESS": temporal,
    }


async def _migrate(settings: Settings) -> None:
    database = Database(settings.database_url)
    await migrate(database)
    await database.close()


async def _import(mails: MassMails, count: int) -> None:
    if await mails.services.contacts.count():
        raise EnvironmentFault("The database holds contacts, who would all get a mail; give an empty one.")
    await make_people(mails.services.database, count)
    await mails.services.templates.add(TEMPLATE, datetime.now(UTC))


async def _until_they_listen(client: Client, processes: Processes) -> None:
    """A worker that is still importing its modules would spoil the measurement."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=SEND_QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )
    for _ in range(int(_READY_WITHIN / 0.1)):
        _check_running(processes)
        pollers = (await client.workflow_service.describe_task_queue(request)).pollers
        if len({poller.identity for poller in pollers}) == len(processes):
            return
        await asyncio.sleep(0.1)
    raise EnvironmentFault("The workers don't come up; start one with 'python worker.py' to see why.")


def _check_running(processes: Processes) -> None:
    if any(process.returncode is not None for process in processes):
        raise EnvironmentFault("A worker has ended by itself; start one with 'python worker.py' to see why.")


async def _measured(mails: MassMails, processes: Processes, count: int, sink: Sink) -> Sent:
    order = MassMail(id=_ID, name="Benchmark", created_by="benchmark", account=ACCOUNT, template=TEMPLATE.name)
    began, cpu_before = time.monotonic(), cpu_seconds(processes)
    await mails.start(order)
    await _until_over(mails, processes)
    seconds, cpu = time.monotonic() - began, cpu_seconds(processes) - cpu_before
    sent, once = await _ledger(mails.services.database)
    received = await sink.received() or Received(sent, sent)
    return Sent(
        seconds=seconds,
        cpu_seconds=cpu,
        rss_mb=largest_mb(processes),
        duplicates=max(sent - once, received.messages - sent, received.messages - received.distinct, 0),
        lost=count - min(once, received.distinct),
        max_events=await _longest_history(mails.temporal),
    )


async def _longest_history(client: Client) -> int:
    """Runs that continued as new count by themselves."""
    runs = [client.get_workflow_handle(run.id, run_id=run.run_id) async for run in client.list_workflows()]
    return max([(await run.describe()).history_length for run in runs], default=0)


async def _until_over(mails: MassMails, processes: Processes) -> None:
    ended = asyncio.create_task(mails.wait(_ID))
    while not ended.done():
        await asyncio.wait([ended], timeout=1)
        _check_running(processes)
        status = (await mails.services.mass_mails.get(_ID)).status
        if status.state in _STUCK:
            ended.cancel()
            raise EnvironmentFault(f"The mass mail is {status.state}: {status.reason or 'somebody got none'}.")
    await ended


async def _ledger(database: Database) -> tuple[int, int]:
    """Rows that were sent, and how many of them were handed over once only."""
    sent = select(
        func.count(), func.count().filter(delivery.c.attempts == 1), func.count(delivery.c.address_key.distinct())
    ).where(delivery.c.state == DeliveryState.SENT)
    async with database.read() as connection:
        rows, first_time, addresses = (await connection.execute(sent)).one()
    return rows, min(first_time, addresses)
