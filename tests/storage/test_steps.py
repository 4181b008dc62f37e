"""Updates in one step of the driver: all of them or none, and on a new connection after a lost one."""

import asyncio
import shutil
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import FromClause, Integer, Text, case, null, update
from sqlalchemy.types import TypeEngine

from serienmail.domain.errors import DatabaseAway
from serienmail.storage import steps
from serienmail.storage.database import Database
from serienmail.storage.given import OneRow, RowsUpdate, given_rows
from serienmail.storage.tables import delivery, mass_mail
from tests.builders import an_open_stage, states

NAMES: dict[str, TypeEngine[Any]] = {"name": Text()}
REPLIES: dict[str, TypeEngine[Any]] = {"seq": Integer(), "reply": Text(), "address_key": Text()}
AUTUMN = [{"name": "Autumn"}]


def given(parameter: str, columns: dict[str, TypeEngine[Any]], database: Database) -> FromClause | OneRow:
    return OneRow(columns) if database.is_sqlite else given_rows(parameter, columns, is_sqlite=False)


def naming(database: Database) -> RowsUpdate:
    """The mass mail; not "nameless", which the database doesn't take."""
    row = given("names", NAMES, database)
    name = case((row.c.name == "nameless", null()), else_=row.c.name)
    named = update(mass_mail).where(row.c.name != "").values(name=name)
    return RowsUpdate(named, "names", mass_mail.c.name, database.is_sqlite)


def sending(database: Database) -> RowsUpdate:
    """Deliveries that are pending."""
    row = given("replies", REPLIES, database)
    sent = update(delivery).where(delivery.c.seq == row.c.seq, delivery.c.state == "pending")
    sent = sent.values(state="sent", reply=row.c.reply)
    return RowsUpdate(sent, "replies", delivery.c.address_key, database.is_sqlite)


def to(*persons: int) -> list[dict[str, Any]]:
    return [{"seq": seq, "reply": "250 ok", "address_key": f"person{seq}@example.org"} for seq in persons]


async def test_what_the_updates_return_is_committed(database: Database) -> None:
    await an_open_stage(database, 2)
    returned = await database.write_in_one_step([(naming(database), AUTUMN), (sending(database), to(1, 2))])
    assert returned == {"Autumn", "person1@example.org", "person2@example.org"}
    assert await states(database) == ["sent", "sent"]


async def test_rows_that_are_not_written_are_not_returned(database: Database) -> None:
    await an_open_stage(database, 3)
    assert await database.write_in_one_step([(sending(database), to(1))]) == {"person1@example.org"}
    returned = await database.write_in_one_step([(sending(database), to(1, 2, 7)), (naming(database), AUTUMN)])
    assert returned == {"person2@example.org", "Autumn"}
    assert await database.write_in_one_step([(sending(database), to(1, 2)), (naming(database), [])]) == frozenset()
    assert await states(database) == ["sent", "sent", "pending"]


async def test_if_one_update_fails_none_is_kept_and_no_value_is_shown(database: Database) -> None:
    await an_open_stage(database, 2)
    with pytest.raises(DatabaseAway, match="didn't commit") as caught:
        await database.write_in_one_step([(sending(database), to(1, 2)), (naming(database), [{"name": "nameless"}])])
    assert "example.org" not in str(caught.value)
    assert await states(database) == ["pending", "pending"]


async def test_after_a_failure_the_next_step_goes_on(database: Database) -> None:
    await an_open_stage(database, 1)
    with pytest.raises(DatabaseAway):
        await database.write_in_one_step([(naming(database), [{"name": "nameless"}])])
    assert await database.write_in_one_step([(sending(database), to(1))]) == {"person1@example.org"}


async def test_a_step_waits_for_whoever_is_writing(database: Database) -> None:
    await an_open_stage(database, 1)
    other = Database(database.url)
    async with other.write() as connection:
        await connection.execute(update(delivery).values(reply="451 later"))
        step = asyncio.create_task(database.write_in_one_step([(sending(database), to(1))]))
        done, _ = await asyncio.wait([step], timeout=0.1)
        assert not done
    assert await step == {"person1@example.org"}
    await other.close()


async def test_a_connection_that_was_lost_is_opened_anew(database: Database) -> None:
    await an_open_stage(database, 1)
    await database.write_in_one_step([(naming(database), AUTUMN)])
    if not database.is_sqlite:  # a file has no server that could hang up
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        async with database.write() as connection:
            await connection.exec_driver_sql(f"{others} AND datname = current_database()")
        with suppress(DatabaseAway):  # it may have noticed already
            await database.write_in_one_step([(naming(database), AUTUMN)])
    assert await database.write_in_one_step([(sending(database), to(1))]) == {"person1@example.org"}


@pytest.fixture
async def sqlite(tmp_path: Path, migrated_sqlite: Path) -> AsyncIterator[Database]:
    shutil.copy(migrated_sqlite, tmp_path / "serienmail.db")
    opened = Database(f"sqlite+aiosqlite:///{tmp_path}/serienmail.db")
    yield opened
    await opened.close()


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which thread did each step, on a disk that is slow."""
    used: list[str] = []

    def slowly(connection: sqlite3.Connection, writes: steps.Writes) -> frozenset[str] | None:
        used.append(threading.current_thread().name)
        time.sleep(0.03)
        return written(connection, writes)

    written = steps._written
    monkeypatch.setattr(steps, "_written", slowly)
    return used


async def test_a_slow_disk_holds_up_the_event_loop_once_and_then_a_thread(
    threads: list[str], sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "_STAYS_SLOW", 600.0)  # however busy this machine is
    await an_open_stage(sqlite, 2)
    assert await sqlite.write_in_one_step([(sending(sqlite), to(1))]) == {"person1@example.org"}
    with pytest.raises(DatabaseAway):
        await sqlite.write_in_one_step([(naming(sqlite), [{"name": "nameless"}])])
    assert await sqlite.write_in_one_step([(sending(sqlite), to(1, 2))]) == {"person2@example.org"}
    assert [name.partition("_")[0] for name in threads] == ["MainThread", "ledger", "ledger"]


async def test_a_disk_that_was_slow_gets_another_try_in_the_event_loop(
    threads: list[str], sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "_STAYS_SLOW", 0.0)
    await an_open_stage(sqlite, 2)
    for person in (1, 2):
        await sqlite.write_in_one_step([(sending(sqlite), to(person))])
    assert threads == ["MainThread", "MainThread"]
