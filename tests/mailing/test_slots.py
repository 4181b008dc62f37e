"""Connections are given in turn to the mass mails that want one, however many of its lanes wait."""

import asyncio
from collections import Counter

import pytest

from serienmail.mailing.slots import Slots


async def lane(slots: Slots, who: str, log: list[str], mails: int) -> None:
    """Takes a slot for each of its mails, and gives it back if another mass mail wants it."""
    for _ in range(mails):
        await slots.take(who)
        log.append(who)
        await asyncio.sleep(0)
        slots.give_back()


async def test_a_mass_mail_with_twenty_slices_gets_no_more_than_one_with_a_single_slice() -> None:
    slots, log = Slots(lambda: 3), list[str]()
    large = [lane(slots, "large", log, 10) for _ in range(60)]
    small = [lane(slots, "small", log, 20) for _ in range(5)]
    await asyncio.gather(*large, *small)
    while_both_wait = Counter(log[3:183])
    assert 0.4 <= while_both_wait["small"] / while_both_wait.total() <= 0.6


async def test_no_more_are_taken_than_there_may_be_and_all_come_back() -> None:
    slots = Slots(lambda: 2)
    first, second, third = (asyncio.create_task(slots.take("a")) for _ in range(3))
    await asyncio.sleep(0)
    assert (first.done(), second.done(), third.done()) == (True, True, False)
    slots.give_back()
    await third
    assert slots.is_wanted("a") is False


async def test_a_slot_is_wanted_back_if_another_mass_mail_waits_or_there_may_be_fewer_now() -> None:
    allowed = [2]
    slots = Slots(lambda: allowed[0])
    await slots.take("a")
    await slots.take("a")
    assert not slots.is_wanted("a")
    waiting = asyncio.create_task(slots.take("b"))
    await asyncio.sleep(0)
    assert slots.is_wanted("a")
    slots.give_back()
    await waiting
    allowed[0] = 1
    assert slots.is_wanted("a")


async def test_who_stops_waiting_loses_nothing_for_the_others() -> None:
    slots = Slots(lambda: 1)
    await slots.take("a")
    gone, stays = asyncio.create_task(slots.take("a")), asyncio.create_task(slots.take("b"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    slots.give_back()
    await stays
    slots.give_back()
    await slots.take("c")


async def test_who_stops_waiting_at_the_moment_of_its_turn_is_passed_over() -> None:
    slots = Slots(lambda: 1)
    await slots.take("a")
    gone, stays = asyncio.create_task(slots.take("a")), asyncio.create_task(slots.take("a"))
    await asyncio.sleep(0)
    gone.cancel()
    slots.give_back()
    await stays
    assert gone.cancelled()
    given = asyncio.create_task(slots.take("b"))
    await asyncio.sleep(0)
    slots.give_back()
    given.cancel()
    await asyncio.wait([given])
    await slots.take("c")


async def test_a_limit_that_grows_lets_go_on_who_waits() -> None:
    allowed = [0]
    slots = Slots(lambda: allowed[0])
    waiting = asyncio.create_task(slots.take("a"))
    await asyncio.sleep(0)
    allowed[0] = 1
    slots.give()
    await waiting


@pytest.mark.parametrize("connections", [1, 3])
async def test_turns_are_in_proportion_to_weights(connections: int) -> None:
    slots, log = Slots(lambda: connections, {"whole": 1.0, "half": 0.5}.__getitem__), list[str]()
    lanes = [lane(slots, who, log, 100) for who in ("whole", "half") for _ in range(5)]
    await asyncio.gather(*lanes)
    while_both_wait = Counter(log[connections : connections + 300])
    assert while_both_wait["whole"] / while_both_wait.total() == pytest.approx(2 / 3, abs=0.02)


async def test_who_comes_later_gets_no_more_than_its_part_from_then_on() -> None:
    slots, log = Slots(lambda: 1), list[str]()
    early = [asyncio.create_task(lane(slots, who, log, 50)) for who in "ab" for _ in range(2)]
    await lane(slots, "c", log, 1)
    late = [asyncio.create_task(lane(slots, "c", log, 15)) for _ in range(2)]
    await asyncio.gather(*early, *late)
    while_all_wait = Counter(log[10:91])
    assert all(while_all_wait[who] == pytest.approx(27, abs=1) for who in "abc")
