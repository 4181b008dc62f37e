"""Which processes use an account just now, so that they can divide its connections."""

import secrets
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.shaping import Scope
from serienmail.storage.database import Database
from serienmail.storage.shapes import ensure_rows, lock_documents, write_document

GONE_AFTER = 15.0
"""Seconds without a renewal: the process is dead, or stands still."""
SETTLED_AFTER = 2.0
"""Seconds that a newcomer leaves to others that haven't noticed it yet: one of them may be slow, or dead."""


class Part(NamedTuple):
    """Which part of a whole is this process's: the number ``rank``, from 0, of ``of``."""

    rank: int = 0
    of: int = 1
    settled: bool = True

    def share(self, whole: int) -> int:
        """Of so many; all shares together are the whole."""
        return (whole // self.of + (self.rank < whole % self.of)) if self.settled else 0


class _Seen(NamedTuple):
    """since, last: seconds, of the first and last renewal. unaware: who was there before and hasn't renewed since."""

    since: float
    last: float
    unaware: Sequence[str] = ()


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
        there = {process: _Seen(*entry) for process, entry in document.items()}
        seen = {process: each for process, each in there.items() if now - each.last < GONE_AFTER}
        mine = seen.get(self._me) or _Seen(now, now, sorted(seen))
        mine = _Seen(mine.since, now, [process for process in mine.unaware if process in seen])
        for process, each in seen.items():
            seen[process] = each._replace(unaware=[other for other in each.unaware if other != self._me])
        seen[self._me] = mine
        await write_document(connection, scope, seen)
        in_order = sorted(seen, key=lambda process: (seen[process].since, process))
        return Part(in_order.index(self._me), len(in_order), not mine.unaware or now - mine.since >= SETTLED_AFTER)
