"""Orders are kept once, and what their workflows say is never overwritten by something older."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from serienmail.domain.commands import Phase, StageStatus
from serienmail.domain.errors import AlreadyExists, NotFound
from serienmail.domain.mass_mail import Audience, FollowUp
from serienmail.domain.states import MassMailState
from serienmail.domain.status import Status
from serienmail.storage.database import Database
from serienmail.storage.mass_mails import MassMailStore
from tests.builders import KEY, NOON, an_open_stage, an_order

ORDER = an_order(
    due=NOON.astimezone(ZoneInfo("Europe/Berlin")),
    follow_ups=(
        FollowUp(template="thanks@1", audience=Audience.OPENED, after=timedelta(days=3), ignore="abc"),
        FollowUp(template="sale@2", audience=Audience.NOT_OPENED, on=NOON + timedelta(days=9)),
    ),
)


async def test_an_order_comes_back_as_it_was_given(database: Database) -> None:
    store = MassMailStore(database)
    await store.create(ORDER, NOON)
    listed = await store.get("autumn")
    assert listed.order == ORDER
    assert (listed.number, listed.state, listed.created_at) == (1, MassMailState.WAITING_FOR_PROCESSING, NOON)
    assert (listed.epoch, listed.snapshot) == (0, 0)


async def test_the_same_order_again_changes_nothing(database: Database) -> None:
    store = MassMailStore(database)
    await store.create(ORDER, NOON)
    await store.create(ORDER, NOON + timedelta(minutes=1))
    assert [listed.created_at for listed in await store.all()] == [NOON]


async def test_an_id_is_taken_by_another_order_and_by_one_whose_workflow_runs(database: Database) -> None:
    store = MassMailStore(database)
    await store.create(ORDER, NOON)
    with pytest.raises(AlreadyExists, match="choose another id"):
        await store.create(replace(ORDER, name="Winter"), NOON)
    await store.record(Status(order=ORDER, state=MassMailState.LOADING, version=1))
    with pytest.raises(AlreadyExists):
        await store.create(ORDER, NOON)


async def test_orders_at_once_get_numbers_of_their_own(database: Database) -> None:
    orders = [an_order(id=f"m{number}") for number in range(6)]
    await asyncio.gather(*(MassMailStore(database).create(order, NOON) for order in orders))
    assert sorted(listed.number for listed in await MassMailStore(database).all()) == [1, 2, 3, 4, 5, 6]


async def test_what_is_said_later_counts_in_whatever_order_it_arrives(database: Database) -> None:
    store = MassMailStore(database)
    await store.create(ORDER, NOON)
    stage = StageStatus(number=0, phase=Phase.STOPPED, due=NOON, begun=True, stopped=True, reason="stopped by anna")
    newer = Status(
        order=replace(ORDER, name="Winter"), state=MassMailState.STOPPED, version=7, reason="stopped by anna",
        stages=(stage,), last_command="stop by anna",
    )  # fmt: skip
    await store.record(newer)
    await store.record(Status(order=ORDER, state=MassMailState.SENDING, version=6))
    await store.record(replace(newer, reason="said twice"))
    assert (await store.get("autumn")).status == newer


async def test_the_newest_start_and_loading_are_read_off_the_stages(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    await ledger.open_stage(KEY, 4)
    listed = await MassMailStore(database).get("autumn")
    assert (listed.epoch, listed.snapshot) == (4, 1)


async def test_the_newest_is_listed_first_and_an_unknown_one_is_told(database: Database) -> None:
    store = MassMailStore(database)
    for hours in (1, 3, 2):
        await store.create(an_order(id=f"m{hours}"), NOON + timedelta(hours=hours))
    assert [listed.order.id for listed in await store.all()] == ["m3", "m2", "m1"]
    assert await store.find("m4") is None
    with pytest.raises(NotFound, match="no mass mail 'm4'"):
        await store.get("m4")
