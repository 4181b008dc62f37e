"""Attachments and images: each content is stored once, under its hash."""

from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from serienmail.domain.errors import NotFound
from serienmail.storage.database import Database
from serienmail.storage.tables import file


class FileStore:
    """File contents by the hash that templates refer to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, content: bytes) -> str:
        """Keep a content; its id. The same content again is kept once."""
        file_id = sha256(content).hexdigest()
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        async with self._database.write() as connection:
            await connection.execute(insert(file).values(id=file_id, content=content).on_conflict_do_nothing())
        return file_id

    async def content(self, file_id: str) -> bytes:
        """What was saved; NotFound if there is nothing of this id."""
        async with self._database.read() as connection:
            found = await connection.execute(select(file.c.content).where(file.c.id == file_id))
            content = found.scalar_one_or_none()
        if content is None:
            raise NotFound("An attachment of the template isn't stored any more; save the template again.")
        return bytes(content)
