"""One way to the database, SQLite or PostgreSQL: read transactions and writing ones."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from serienmail.domain.errors import DatabaseAway
from serienmail.storage.steps import PRAGMAS, PostgresqlSteps, SqliteSteps, Steps, Writes


class Database:
    """Transactions on ``sqlite+aiosqlite:///…`` or ``postgresql+asyncpg://…``. No exception shows a parameter's value.

    SQLite: WAL, synchronous=FULL, and every writing transaction is BEGIN IMMEDIATE: one that reads first and then
    writes fails with "database is locked" as soon as two processes work, whatever the busy time-out.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self._engine = _sqlite_engine(url) if self.is_sqlite else _postgresql_engine(url)
        self._writing = self._engine.execution_options(serienmail_writes=True)
        self._by_key = self._writing if self.is_sqlite else _postgresql_engine(url, _EACH_ROW_BY_ITS_KEY)
        self._steps: Steps = (
            SqliteSteps(make_url(url)) if self.is_sqlite else PostgresqlSteps(make_url(url), _EACH_ROW_BY_ITS_KEY)
        )

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads."""
        async with _reachable(self._engine) as connection:
            yield connection

    @asynccontextmanager
    async def write(self, *, by_key: bool = False) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes; commits at the end, rolls back on an exception.

        by_key: its rows are given by their keys; PostgreSQL looks up each, and reads no table through.
        """
        async with _reachable(self._by_key if by_key else self._writing) as connection:
            yield connection

    async def write_in_one_step(self, writes: Writes) -> frozenset[str]:
        """What these updates returned, a text for each row, in a transaction of their own; rows by their keys.

        DatabaseAway: nobody knows whether it was committed.
        """
        return await self._steps.take(writes)

    async def close(self) -> None:
        """Give all connections back; those in use when they aren't any more."""
        await self._steps.close()
        for engine in (self._engine, self._by_key):
            # who is still at work returns its connection to a pool that nobody looks after any more
            event.listen(engine.sync_engine.pool, "checkin", _end)
            await engine.dispose()


def _end(_connection: object, record: ConnectionPoolEntry) -> None:
    record.invalidate()  # closes it


@asynccontextmanager
async def _reachable(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    try:
        begun = engine.begin()
        connection = await begun.__aenter__()
    except Exception as error:  # while it connects, asyncpg's own exceptions come through as they are
        raise DatabaseAway(
            "the database can't be reached; check SERIENMAIL_DATABASE_URL and that the server runs."
        ) from error
    try:
        yield connection
    except BaseException as error:
        await begun.__aexit__(type(error), error, error.__traceback__)
        raise
    else:
        await begun.__aexit__(None, None, None)


_EACH_ROW_BY_ITS_KEY = {f"enable_{plan}": "off" for plan in ("seqscan", "bitmapscan", "hashjoin", "mergejoin")}
"""Settings of a connection: in each transaction anew they would cost it one more round trip.

PostgreSQL takes given rows for a hundred; it would rather read all recipients than look up so many.
"""


def _postgresql_engine(url: str, settings: Mapping[str, str] = MappingProxyType({})) -> AsyncEngine:
    connecting = {"server_settings": dict(settings)}
    return create_async_engine(url, pool_size=10, hide_parameters=True, connect_args=connecting)


def _sqlite_engine(url: str) -> AsyncEngine:
    path = make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(url, connect_args={"timeout": 30}, hide_parameters=True)

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN would be a deferred one
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        writes = connection.get_execution_options().get("serienmail_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
