"""A database that is away for longer than a moment: what was committed is found, and what wasn't is known not to be."""

from collections.abc import AsyncIterator

import pytest

from serienmail.domain.errors import EnvironmentFault
from serienmail.storage import turns
from serienmail.storage.database import Database
from tests.builders import NOON, a_job, an_open_stage, claim, rows, states
from tests.fakes import Faulty


@pytest.fixture
async def flickering(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Faulty]:
    monkeypatch.setattr(turns, "LOOKS_AGAIN_AFTER", 0.01)
    flickering = Faulty(database.url)
    yield flickering
    await flickering.close()


async def test_a_claim_that_was_committed_is_found_however_often_the_database_fails(flickering: Faulty) -> None:
    ledger = await an_open_stage(flickering, 1)
    flickering.losses, flickering.refusals = 1, 5
    claimed = await claim(ledger, a_job(), NOON)
    assert claimed is not None
    assert [row.token for row in await rows(flickering)] == [claimed.token]


async def test_a_claim_that_was_not_committed_is_an_error_and_its_row_stays_due(flickering: Faulty) -> None:
    ledger = await an_open_stage(flickering, 2)
    flickering.refusals = 3
    with pytest.raises(EnvironmentFault, match="away"):
        await claim(ledger, a_job(), NOON)
    assert await states(flickering) == ["pending", "pending"]
    assert await claim(ledger, a_job(), NOON) is not None
