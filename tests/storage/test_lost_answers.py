"""A database that is away for longer than a moment: what was committed is found, and what wasn't is known not to be."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.errors import EnvironmentFault
from serienmail.storage import turns
from serienmail.storage.database import Database
from tests.builders import NOON, a_job, an_open_stage, claim, rows, states


class Flickering(Database):
    """Fails as often as told: ``losses`` times after the commit, then ``refusals`` times before it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.losses = self.refusals = 0

    @asynccontextmanager
    async def write(self, *, by_key: bool = False) -> AsyncIterator[AsyncConnection]:
        if not self.losses and self.refusals:
            self.refusals -= 1
            raise EnvironmentFault("the database is away; start it.")
        async with super().write(by_key=by_key) as connection:
            yield connection
        if self.losses:
            self.losses -= 1
            raise OSError("the connection was lost")


@pytest.fixture
async def flickering(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Flickering]:
    monkeypatch.setattr(turns, "LOOKS_AGAIN_AFTER", 0.01)
    flickering = Flickering(database.url)
    yield flickering
    await flickering.close()


async def test_a_claim_that_was_committed_is_found_however_often_the_database_fails(flickering: Flickering) -> None:
    ledger = await an_open_stage(flickering, 1)
    flickering.losses, flickering.refusals = 1, 5
    claimed = await claim(ledger, a_job(), NOON)
    assert claimed is not None
    assert [row.token for row in await rows(flickering)] == [claimed.token]


async def test_a_claim_that_was_not_committed_is_an_error_and_its_row_stays_due(flickering: Flickering) -> None:
    ledger = await an_open_stage(flickering, 2)
    flickering.refusals = 3
    with pytest.raises(EnvironmentFault, match="away"):
        await claim(ledger, a_job(), NOON)
    assert await states(flickering) == ["pending", "pending"]
    assert await claim(ledger, a_job(), NOON) is not None
