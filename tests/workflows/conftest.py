"""One Temporal dev server for the session, one small installation for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.world import World, world_on


@pytest.fixture
async def world(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[World]:
    """An installation on SQLite, with workers."""
    async with world_on(temporal, tmp_path, f"sqlite+aiosqlite:///{tmp_path}/serienmail.db") as world:
        yield world
