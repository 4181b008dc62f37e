"""An account's connections are divided among the processes that use it, and follow the mass mails that they serve."""

from typing import Any

import pytest

from serienmail.domain.division import Part
from serienmail.domain.shaping import Scope
from serienmail.storage.database import Database
from serienmail.storage.presence import GONE_AFTER, HAS_NOTICED_AFTER, Presence
from serienmail.storage.shapes import lock_documents, write_document


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Worker:
    """Serves mass mails on an account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._presence = Presence(database, clock)
        self._clock = clock

    async def connections(self, *mass_mails: str, of: int = 12) -> int:
        """How many of them it has, since it says just now that it serves these."""
        self._clock.now += 0.01  # two never begin at the very same moment
        return (await self._presence.renew("main", mass_mails)).share(of)


async def test_who_is_alone_has_all_connections_at_once(database: Database, clock: Clock) -> None:
    assert await Worker(database, clock).connections("autumn") == 12


async def test_a_newcomer_gets_its_part_when_the_others_have_left_it(database: Database, clock: Clock) -> None:
    first, second, third = (Worker(database, clock) for _ in range(3))
    await first.connections("autumn")
    assert await second.connections("autumn") == 0
    assert await first.connections("autumn") == 6
    assert await second.connections("autumn") == 6
    assert await third.connections("autumn") == 0
    assert await second.connections("autumn") == 2  # from the fifth to the sixth: the first still has those before
    assert await first.connections("autumn") == 4
    assert await second.connections("autumn") == 4
    assert await third.connections("autumn") == 4


async def test_a_newcomer_waits_not_long_for_one_that_does_not_notice_it(database: Database, clock: Clock) -> None:
    first, second = Worker(database, clock), Worker(database, clock)
    await first.connections("autumn")
    assert await second.connections("autumn") == 0
    clock.now += HAS_NOTICED_AFTER
    assert await second.connections("autumn") == 6


async def test_connections_follow_the_mass_mails_to_the_workers_that_serve_them(
    database: Database, clock: Clock
) -> None:
    both, one = Worker(database, clock), Worker(database, clock)
    for _ in range(2):
        await both.connections("autumn", "winter"), await one.connections("winter")
    assert (await both.connections("autumn", "winter"), await one.connections("winter")) == (9, 3)
    for _ in range(2):
        await both.connections("winter"), await one.connections("winter")
    assert (await both.connections("winter"), await one.connections("winter")) == (6, 6)


async def test_nobody_takes_what_another_still_has(database: Database, clock: Clock) -> None:
    first, second = Worker(database, clock), Worker(database, clock)
    for _ in range(2):
        await first.connections("autumn"), await second.connections("winter")
    assert await first.connections("autumn", "winter") == 6
    assert await second.connections("winter") == 3
    assert await first.connections("autumn", "winter") == 9


async def test_who_serves_none_any_more_leaves_all_to_the_others(database: Database, clock: Clock) -> None:
    ends, stays = Worker(database, clock), Worker(database, clock)
    for _ in range(2):
        await ends.connections("autumn"), await stays.connections("autumn")
    assert await ends.connections() == 0
    assert await stays.connections("autumn") == 12


async def test_a_process_that_died_counts_no_more_after_a_while(database: Database, clock: Clock) -> None:
    stays, dies = Worker(database, clock), Worker(database, clock)
    await stays.connections("autumn")
    await dies.connections("autumn")
    clock.now += GONE_AFTER
    assert await stays.connections("autumn") == 12


async def test_accounts_are_divided_each_for_itself(database: Database) -> None:
    await Presence(database).renew("main", ["autumn"])
    assert await Presence(database).renew("other", ["winter"]) == Part(0.0, 1.0, {"winter": 1.0})


@pytest.mark.parametrize(
    "entry", [{"of_a_later_version": [1]}, {"since": 1.0, "serves": ["autumn"], "of_a_later_version": {"x": 1}}]
)
async def test_what_a_worker_of_another_version_wrote_is_read_as_far_as_it_is_known_and_left_as_it_is(
    database: Database, clock: Clock, entry: dict[str, Any]
) -> None:
    scope, other = Scope("connections", "main"), {"last": clock.now, **entry}
    worker = Worker(database, clock)
    await worker.connections("autumn")
    async with database.write() as connection:
        document = (await lock_documents(connection, [scope]))[scope]
        await write_document(connection, scope, {**document, "another": other})
    assert await worker.connections("autumn") == (6 if "serves" in entry else 12)
    async with database.read() as connection:
        assert (await lock_documents(connection, [scope]))[scope]["another"] == other
