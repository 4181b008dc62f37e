"""An account's connections are divided among the processes that use it."""

from serienmail.storage.database import Database
from serienmail.storage.presence import GONE_AFTER, SETTLED_AFTER, Part, Presence


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


async def test_who_is_alone_has_all_connections_at_once(database: Database) -> None:
    assert (await Presence(database).renew("main")).share(10) == 10


async def test_a_newcomer_gets_its_part_when_the_others_have_left_it(database: Database) -> None:
    first, second, third = (Presence(database) for _ in range(3))
    await first.renew("main")
    assert (await second.renew("main")).share(12) == 0
    assert (await first.renew("main")).share(12) == 6
    assert (await second.renew("main")).share(12) == 6
    assert (await third.renew("main")).share(12) == 0
    assert (await second.renew("main")).share(12) == 4
    assert (await third.renew("main")).share(12) == 0  # the first still takes six
    assert (await first.renew("main")).share(12) == 4
    assert (await third.renew("main")).share(12) == 4


async def test_a_newcomer_waits_not_long_for_one_that_does_not_notice_it(database: Database) -> None:
    clock = Clock()
    first, second = Presence(database, clock), Presence(database, clock)
    await first.renew("main")
    assert (await second.renew("main")).share(10) == 0
    clock.now += SETTLED_AFTER
    assert (await second.renew("main")).share(10) == 5


async def test_all_parts_together_are_the_whole(database: Database) -> None:
    clock = Clock()
    workers = [Presence(database, clock) for _ in range(3)]
    for worker in workers:
        await worker.renew("main")
    clock.now += SETTLED_AFTER
    assert sum([(await worker.renew("main")).share(10) for worker in workers]) == 10
    assert sum([(await worker.renew("main")).share(2) for worker in workers]) == 2


async def test_a_process_that_died_counts_no_more_after_a_while(database: Database) -> None:
    clock = Clock()
    stays, dies = Presence(database, clock), Presence(database, clock)
    await stays.renew("main")
    await dies.renew("main")
    clock.now += GONE_AFTER
    assert (await stays.renew("main")).share(10) == 10


async def test_accounts_are_divided_each_for_itself(database: Database) -> None:
    await Presence(database).renew("main")
    assert await Presence(database).renew("other") == Part(0, 1, settled=True)
