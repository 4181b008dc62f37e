"""``python -m web`` as operators start it."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from serienmail.storage.database import Database
from serienmail.storage.migration import migrate
from tests.web.conftest import KEY


@asynccontextmanager
async def started(database_url: str, port: int, spool: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process, which ends with the test."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "web", "--port", str(port), stderr=asyncio.subprocess.PIPE,
        env={"SERIENMAIL_DATABASE_URL": database_url, "SERIENMAIL_LINK_KEY": KEY, "SERIENMAIL_SPOOL": str(spool)},
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until_it_runs(process: asyncio.subprocess.Process) -> None:
    """Wait until it takes requests."""
    assert process.stderr is not None
    async for line in process.stderr:
        if b"running on" in line:
            return


@asynccontextmanager
async def serving(tmp_path: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """The process with an empty database, and its port."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/serienmail.db")
    await migrate(database)
    await database.close()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with started(database.url, port, tmp_path / "spool") as process:
        await until_it_runs(process)
        yield process, port


async def test_it_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    async with serving(tmp_path) as (process, port):
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"http://127.0.0.1:{port}/health")).json() == {"status": "ok"}
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) in (0, -signal.SIGTERM)


async def test_a_connection_outlives_the_five_seconds_after_which_clients_close_theirs(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for pause in (6, 0):
            writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await reader.readuntil(b'{"status":"ok"}')).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(pause)
        writer.close()


async def test_a_database_without_tables_is_refused_in_one_sentence(tmp_path: Path) -> None:
    async with started(f"sqlite+aiosqlite:///{tmp_path}/empty.db", 0, tmp_path / "spool") as process:
        _, printed = await process.communicate()
    assert process.returncode == 1
    assert printed.decode() == "The database has no tables yet; run 'serienmail migrate' first.\n"


async def test_a_port_that_is_taken_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with started(f"sqlite+aiosqlite:///{tmp_path}/x.db", port, tmp_path / "spool") as process:
            _, printed = await process.communicate()
    assert process.returncode == 1
    assert printed.decode() == f"It can't listen on 127.0.0.1:{port}; end what does already, or choose others.\n"
