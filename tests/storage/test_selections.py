"""Selections are kept once, under the hash of what they ask."""

import asyncio

import pytest

from serienmail.domain.criteria import where
from serienmail.domain.errors import NotFound
from serienmail.domain.mass_mail import EVERYONE
from serienmail.domain.selection import Selection
from serienmail.storage.database import Database
from serienmail.storage.selections import SelectionStore

IN_ULM = Selection(where("city").eq("Ulm") & ~where("company").empty())


async def test_a_selection_is_found_again_under_its_id(database: Database) -> None:
    store = SelectionStore(database)
    assert await store.save(IN_ULM) == IN_ULM.id
    assert await store.criterion(IN_ULM.id) == IN_ULM.criterion


async def test_saving_it_again_even_at_once_keeps_one(database: Database) -> None:
    ids = await asyncio.gather(*(SelectionStore(database).save(IN_ULM) for _ in range(5)))
    assert set(ids) == {IN_ULM.id}


async def test_everyone_needs_no_row(database: Database) -> None:
    store = SelectionStore(database)
    assert await store.save(Selection()) == EVERYONE
    assert await store.criterion(EVERYONE) is None


async def test_an_unknown_selection_is_told(database: Database) -> None:
    with pytest.raises(NotFound, match="'abc'; store it first"):
        await SelectionStore(database).criterion("abc")
