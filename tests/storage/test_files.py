"""A file's content is stored once, under its hash."""

import pytest

from serienmail.domain.errors import NotFound
from serienmail.storage.database import Database
from serienmail.storage.files import FileStore


async def test_the_same_content_is_kept_once_and_read_again(database: Database) -> None:
    store = FileStore(database)
    first, again, other = [await store.save(content) for content in (b"a\0\xff", b"a\0\xff", b"b")]
    assert (first == again, first == other) == (True, False)
    assert await store.content(first) == b"a\0\xff"


async def test_an_unknown_file_is_told(database: Database) -> None:
    with pytest.raises(NotFound, match="save the template again"):
        await FileStore(database).content("0" * 64)
