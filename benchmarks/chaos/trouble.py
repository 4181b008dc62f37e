"""What happens to an installation while it sends: kills, standstills, restarts, broken connections, changed minds."""

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import asyncpg  # type: ignore[import-untyped]  # ships no types
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.service import RPCError

from benchmarks.chaos.inbox import ChaosInbox
from benchmarks.chaos.installation import TemporalServer, Workers
from serienmail.domain.errors import SerienmailError
from starter.client import MassMails
from workflows.names import mass_mail_workflow_id

MASS_MAIL, OWNER = "chaos", "a.schmidt"
_LOOK = 0.02
PASSING = (SerienmailError, SQLAlchemyError, RPCError, OSError)
"""What a command may meet while database or Temporal are away."""


@dataclass
class Trouble:
    """Does it, at moments that depend on the seed: so many mails begun, whatever the machine's speed."""

    chance: Random
    mails: int
    inbox: ChaosInbox
    workers: Workers
    temporal: TemporalServer
    client: MassMails
    database_breaks: int = 0
    is_calm: bool = True  # nobody is between a stop and its restart

    async def at_random_moments(self, times: int, does: Callable[[], Awaitable[None]]) -> None:
        """So many times between the first mail and nine tenths of them."""
        moments = deque(sorted(self.chance.randint(1, self.mails * 9 // 10) for _ in range(times)))
        while moments:
            await asyncio.sleep(_LOOK)
            if self.inbox.begun >= moments[0]:
                moments.popleft()
                await does()

    async def kill(self) -> None:
        """SIGKILL for a worker."""
        await asyncio.sleep(self.chance.uniform(0, 0.2))
        await self.workers.kill(self.chance)

    async def restart_inbox(self) -> None:
        """The mail server is away for a moment."""
        await self.inbox.stop()
        await asyncio.sleep(self.chance.uniform(0, 1))
        await self.inbox.start()

    async def break_database(self) -> None:
        """SQLite: somebody else writes for a while. PostgreSQL: all connections are cut, several times."""
        self.database_breaks += 1
        database = self.client.services.database
        if database.is_sqlite:
            with suppress(*PASSING):  # it may have to wait too long for its own turn
                async with database.write():
                    await asyncio.sleep(self.chance.uniform(0.2, 3))
            return
        for _ in range(self.chance.randint(1, 20)):
            await _cut_all_connections(database.url)
            await asyncio.sleep(self.chance.uniform(0, 0.2))

    async def stop_and_restart(self) -> None:
        """A person who can't decide."""
        self.is_calm = False
        await self._command(lambda: self.client.stop(MASS_MAIL, by=OWNER))
        await asyncio.sleep(self.chance.choice([0, self.chance.uniform(0, 2)]))
        await self._command(lambda: self.client.restart(MASS_MAIL, by=OWNER))
        self.is_calm = True

    async def _command(self, give: Callable[[], Awaitable[object]]) -> None:
        with suppress(*PASSING):  # also refused: it may be over, or stopped for another reason
            await give()

    async def freeze(self) -> None:
        """A worker stands still until others have taken over all of its slices, and then goes on as if nothing were."""
        process = await self.workers.freeze(self.chance)
        believed = True
        while believed:
            await asyncio.sleep(1)
            believed = await self._is_believed_at_work(f"{process.pid}@{socket.gethostname()}")
        self.workers.thaw(process)

    async def _is_believed_at_work(self, identity: str) -> bool:
        """Whether Temporal still waits for this worker's heartbeat."""
        client = self.client.temporal
        query = f"WorkflowId STARTS_WITH '{mass_mail_workflow_id(MASS_MAIL)}/' AND ExecutionStatus = 'Running'"
        try:
            async for found in client.list_workflows(query):
                described = await client.get_workflow_handle(found.id).describe()
                for activity in described.raw_description.pending_activities:
                    started = activity.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
                    if started and activity.last_worker_identity == identity:
                        return True
        except RPCError:
            return True
        return False


async def _cut_all_connections(url: str) -> None:
    address = make_url(url)
    connection = await asyncpg.connect(user="postgres", host=address.query["host"], database=address.database)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()
