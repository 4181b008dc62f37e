"""SendingLimits of the settings, and what administrators changed of them."""

import pytest

from serienmail.domain.errors import InvalidOrder, NotFound
from serienmail.domain.sending_limits import SendingLimits
from serienmail.storage.database import Database
from serienmail.storage.limits import LimitsInForce, LimitStore
from tests.builders import NOON

SETTINGS = {"main": SendingLimits(connections=10, per_hour=100)}


async def test_until_somebody_changes_them_the_settings_count(database: Database) -> None:
    assert await LimitStore(database, SETTINGS).all() == [LimitsInForce("main", SETTINGS["main"])]


async def test_changes_are_kept_with_who_and_when_and_the_rest_follows_the_settings(database: Database) -> None:
    await LimitStore(database, SETTINGS).change("main", {"per_hour": None}, "root", NOON)
    await LimitStore(database, SETTINGS).change("main", {"per_day": 500}, "carla", NOON)
    later = LimitStore(database, {"main": SendingLimits(connections=3, per_hour=100)})
    changed = SendingLimits(connections=3, per_day=500)
    assert await later.of("main") == LimitsInForce("main", changed, "carla", NOON)


async def test_what_makes_no_sense_is_refused_and_changes_nothing(database: Database) -> None:
    store = LimitStore(database, SETTINGS)
    with pytest.raises(InvalidOrder):
        await store.change("main", {"per_hour": 0}, "root", NOON)
    with pytest.raises(NotFound, match="choose one of: main"):
        await store.change("nowhere", {"per_hour": 5}, "root", NOON)
    assert (await store.of("main")).changed_by is None
