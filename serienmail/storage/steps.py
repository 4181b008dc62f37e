"""Updates in one transaction and one step of the driver, past SQLAlchemy: for the commits of the ledger's hot path.

A mail's outcome and claim took about five times the CPU statement by statement, on SQLite twice (docs/performance.md).
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import asyncpg  # type: ignore[import-untyped]  # ships no types
from sqlalchemy import URL, Dialect, select, union_all

from serienmail.domain.errors import DatabaseAway
from serienmail.storage.given import Rows, RowsUpdate, as_given

Writes = Sequence[tuple[RowsUpdate, Rows]]
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON")
_ASYNCPG_FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)  # no common root
_WAITS_FOR_THE_LOCK = 30.0
"""Seconds, of one step on SQLite; as busy_timeout is for all others."""
_SLOW = 0.02
"""Seconds. A step on SQLite that holds up the event loop for longer is its last one for a while."""
_STAYS_SLOW = 1.0
"""Seconds for which a thread takes the steps then."""
_FAILED = "the database didn't commit, or didn't say so; the worker's log has the details."
Answer = TypeVar("Answer")
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
    """All updates are one visit to the file, in the event loop: to a thread and back, a group of 20 mails waited longer
    than the visit takes, 1.4 ms in the middle and 6 in 99 of 100. A disk that turns out slow is left to a thread (ADR
    0026).

    What they returned is asked for only if they didn't write all rows, which is rare: a row that is returned costs as
    much as one that is written.
    """

    def __init__(self, url: URL) -> None:
        self._file = url.database or ":memory:"
        self._connection: sqlite3.Connection | None = None
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._slow_until = 0.0

    async def take(self, writes: Writes) -> frozenset[str]:
        try:
            async with self._turn:
                returned = await self._committed(_written, writes)
                if returned is None:
                    returned = await self._committed(_written_row_by_row, writes)
                return returned
        except sqlite3.Error as error:
            raise _failed(error) from error

    async def _committed(self, write: Callable[[sqlite3.Connection, Writes], Answer], writes: Writes) -> Answer:
        if self._connection is None:
            self._connection = await self._in_thread(self._opened)
        await _begin(self._connection)
        began = time.monotonic()
        if began < self._slow_until:
            return await self._in_thread(_in_one_transaction, self._connection, write, writes)
        try:
            return _in_one_transaction(self._connection, write, writes)
        finally:
            ended = time.monotonic()
            if ended - began > _SLOW:
                self._slow_until = ended + _STAYS_SLOW

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, timeout=30, isolation_level=None, check_same_thread=False)
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("PRAGMA busy_timeout=0")  # from here on patience is _begin's
        return connection

    async def close(self) -> None:
        if self._connection:
            await self._in_thread(self._connection.close)
            self._connection = None
        self._thread.shutdown()

    async def _in_thread(self, call: Callable[..., Answer], *arguments: object) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)


def _in_one_transaction(
    connection: sqlite3.Connection, write: Callable[[sqlite3.Connection, Writes], Answer], writes: Writes
) -> Answer:
    with connection:  # commits, or rolls back
        return write(connection, writes)


def _written(connection: sqlite3.Connection, writes: Writes) -> frozenset[str] | None:
    """What the updates return if they write all rows; else None, and nothing is written."""
    expected = [row[update.returns] for update, rows in writes for row in rows]
    written = -connection.total_changes
    for update, rows in writes:
        connection.executemany(update.text, rows)
    written += connection.total_changes
    if written == len(expected):
        return frozenset(expected)
    connection.rollback()
    return None


def _written_row_by_row(connection: sqlite3.Connection, writes: Writes) -> frozenset[str]:
    asked = ((update.text_returning, row) for update, rows in writes for row in rows)
    return frozenset([value for text, row in asked for (value,) in connection.execute(text, row)])


async def _begin(connection: sqlite3.Connection) -> None:
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
        await asyncio.sleep(0.001)
