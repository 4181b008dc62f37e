"""A way to the database for each purpose: rows given by their keys looked up one by one; who gives up holds no lock."""

import asyncio
import gc
import warnings

import pytest
from sqlalchemy import text

from serienmail.storage.database import Database


async def test_only_rows_given_by_their_keys_are_looked_up_one_by_one(database: Database) -> None:
    if database.is_sqlite:  # it does so by itself
        return
    for by_key, allowed in ((True, "off"), (False, "on"), (True, "off")):
        async with database.write(by_key=by_key) as connection:
            for plan in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):
                assert (await connection.execute(text(f"SHOW enable_{plan}"))).scalar_one() == allowed


@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")  # aiosqlite's, if cancelled while it opens one
async def test_a_writer_that_is_cancelled_leaves_nobody_waiting_for_its_lock(database: Database) -> None:
    if not database.is_sqlite:  # it has no lock for the whole of it
        return
    other = Database(database.url)
    for moments in range(5):
        async with database.write():
            cancelled = asyncio.create_task(_write(other))
            await asyncio.sleep(0.01 * moments)
            cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
    async with asyncio.timeout(10):
        await _write(database)
    await other.close()
    gc.collect()  # from Python 3.13 on it would warn in some later test


async def _write(database: Database) -> None:
    async with database.write():
        pass


async def test_a_connection_in_use_when_its_database_closes_is_closed_when_it_comes_back(database: Database) -> None:
    with warnings.catch_warnings(record=True) as left_open:
        warnings.simplefilter("always")
        async with database.read() as connection:
            await connection.execute(text("SELECT 1"))
            await database.close()
        del connection
        gc.collect()
    assert not [str(each.message) for each in left_open if each.category is ResourceWarning]
