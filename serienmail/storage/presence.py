"""Which processes use an account just now, so that they can divide its connections."""

import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.shaping import Scope
from serienmail.storage.database import Database
from serienmail.storage.shapes import ensure_rows, lock_documents, write_document

GONE_AFTER = 15.0
"""Seconds without a renewal: the process is dead, or stands still."""
SETTLED_AFTER = 2.0
"""Seconds: by then all others know of a newcomer, and have left it its share."""


class Part(NamedTuple):
    """Which part of a whole is this process's: the number ``rank``, from 0, of ``of``."""

    rank: int = 0
    of: int = 1
    settled: bool = True

    def share(self, whole: int) -> int:
        """Of so many; all shares together are the whole."""
        return (whole // self.of + (self.rank < whole % self.of)) if self.settled else 0


class Presence:
    """This process among all. clock: seconds since 1970, on all machines alike."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._me = secrets.token_hex(8)
        self._there: set[str] = set()

    async def renew(self, account: str) -> Part:
        """Say that this process uses the account; its part until it says so again."""
        scope = Scope("presence", account)
        if account not in self._there:
            await ensure_rows(self._database, [scope])
            self._there.add(account)
        async with self._database.write() as connection:
            return await self._renew(connection, scope)

    async def _renew(self, connection: AsyncConnection, scope: Scope) -> Part:
        now, document = self._clock(), (await lock_documents(connection, [scope]))[scope]
        seen: dict[str, tuple[float, float]] = {
            process: (since, last) for process, (since, last) in document.items() if now - last < GONE_AFTER
        }
        alone = not seen.keys() - {self._me}
        since = now - SETTLED_AFTER if alone else seen.get(self._me, (now, now))[0]
        seen[self._me] = since, now
        await write_document(connection, scope, {process: list(times) for process, times in seen.items()})
        in_order = sorted(seen, key=lambda process: (seen[process][0], process))
        return Part(in_order.index(self._me), len(in_order), now - since >= SETTLED_AFTER)
