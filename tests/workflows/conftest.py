"""One Temporal dev server for the session, one small installation for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.mailing.smtp_server import listening
from tests.workflows.slow_server import SlowServer
from tests.world import World, an_account, world_on


@pytest.fixture
async def server() -> SlowServer:
    """The mail server of the account ``slow``; it holds every mail until it is told to go on."""
    return SlowServer()


@pytest.fixture
async def world(temporal: WorkflowEnvironment, server: SlowServer, tmp_path: Path) -> AsyncIterator[World]:
    """An installation on SQLite, with workers."""
    async with listening(server) as port:
        accounts = {"slow": an_account(port, connections=5)}
        database_url = f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
        async with world_on(temporal, tmp_path, database_url, accounts=accounts) as world:
            try:
                yield world
            finally:
                server.go_on()  # nothing may wait for it while the workers end
