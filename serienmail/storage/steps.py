"""Updates in one transaction and one step of the driver, past SQLAlchemy: for the commits of the ledger's hot path.

A mail's outcome and claim took about five times the CPU statement by statement, on SQLite twice (docs/performance.md).
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import asyncpg  # type: ignore[import-untyped]  # ships no types
from sqlalchemy import URL, Dialect, select, union_all

from serienmail.domain.errors import DatabaseAway
from serienmail.storage.given import Rows, RowsUpdate, as_given

Writes = Sequence[tuple[RowsUpdate, Rows]]
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON")
_ASYNCPG_FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)  # no common root
_WAITS_FOR_THE_LOCK = 30.0
"""Seconds, of one step on SQLite; as busy_timeout is for all others."""
_FAILED = "the database didn't commit, or didn't say so; the worker's log has the details."
log = logging.getLogger(__name__)


class Steps(Protocol):
    """A connection of its own, which is opened when it is needed."""

    async def take(self, writes: Writes) -> frozenset[str]:
        """What the updates returned, committed; DatabaseAway: perhaps committed."""

    async def close(self) -> None:
        """Give the connection back."""


def _failed(error: Exception) -> DatabaseAway:
    """Its own words may show a recipient, so they stay in the log."""
    log.error("a step of the database failed", exc_info=error)
    return DatabaseAway(_FAILED)


class PostgresqlSteps:
    """All updates are one statement, so nothing goes to and fro: begin, locks, two writes and commit were five times.

    They see one snapshot and run in their order; a row that one has written the next ones can't write.
    """

    def __init__(self, url: URL, settings: Mapping[str, str]) -> None:
        self._dialect: Dialect = url.get_dialect()()
        _, self._address = self._dialect.create_connect_args(url)
        self._settings = dict(settings)
        self._connection: Any = None
        self._turn = asyncio.Lock()
        self._statements: dict[tuple[RowsUpdate, ...], tuple[str, Sequence[str], dict[str, Any]]] = {}

    async def take(self, writes: Writes) -> frozenset[str]:
        updates = tuple([update for update, _ in writes])
        text, order, constants = self._statements.get(updates) or self._compiled(updates)
        values = constants | {update.parameter: as_given(rows) for update, rows in writes}
        async with self._turn:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await asyncpg.connect(**self._address, server_settings=self._settings)
                rows = await self._connection.fetch(text, *[values[name] for name in order])
            except (*_ASYNCPG_FAILURES, OSError) as error:
                self._hang_up()
                raise _failed(error) from error
        return frozenset([row[0] for row in rows])

    async def close(self) -> None:
        if self._connection:
            await self._connection.close()
            self._connection = None

    def _hang_up(self) -> None:
        if self._connection:
            self._connection.terminate()
            self._connection = None

    def _compiled(self, updates: tuple[RowsUpdate, ...]) -> tuple[str, Sequence[str], dict[str, Any]]:
        written = [update.returning.cte(f"step_{number}") for number, update in enumerate(updates)]
        compiled = union_all(*(select(*each.c) for each in written)).compile(dialect=self._dialect)
        self._statements[updates] = str(compiled), compiled.positiontup or (), compiled.params
        return self._statements[updates]


class SqliteSteps:
    """All updates are one visit to a thread; each statement by itself visited it several times.

    What they returned is asked for only if they didn't write all rows, which is rare: a row that is returned costs as
    much as one that is written.
    """

    def __init__(self, url: URL) -> None:
        self._file = url.database or ":memory:"
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")

    async def take(self, writes: Writes) -> frozenset[str]:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._take, writes)
        except sqlite3.Error as error:
            raise _failed(error) from error

    def _take(self, writes: Writes) -> frozenset[str]:
        connection = self._connection = self._connection or self._opened()
        returned = [row[update.returns] for update, rows in writes for row in rows]
        with connection:  # commits, or rolls back
            _begin(connection)
            written = -connection.total_changes
            for update, rows in writes:
                connection.executemany(update.text, rows)
            written += connection.total_changes
            if written != len(returned):
                connection.rollback()
                _begin(connection)
                asked = ((update.text_returning, row) for update, rows in writes for row in rows)
                returned = [value for text, row in asked for (value,) in connection.execute(text, row)]
        return frozenset(returned)

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, timeout=30, isolation_level=None)
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("PRAGMA busy_timeout=0")  # from here on patience is _begin's
        return connection

    async def close(self) -> None:
        if self._connection:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
            self._connection = None
        self._thread.shutdown()


def _begin(connection: sqlite3.Connection) -> None:
    """As soon as the write lock is free. SQLite's own patience sleeps ever longer, up to 100 ms, while other processes
    take and give back the lock every few ms: two workers waited for a quarter of their time.
    """
    give_up = time.monotonic() + _WAITS_FOR_THE_LOCK
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
        time.sleep(0.001)
