"""The rows that all workers shape their sending by: made before they are needed, and locked in one order."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.shaping import Scope
from serienmail.storage.database import Database
from serienmail.storage.shaping_tables import shape

_KEY = (shape.c.kind, shape.c.owner, shape.c.provider)


async def ensure_rows(database: Database, scopes: Collection[Scope]) -> None:
    """Make the rows that aren't there yet. Locked rows alone keep an order; inserted ones would deadlock PostgreSQL."""
    dialect: Any = sqlite if database.is_sqlite else postgresql
    rows = [{**scope._asdict(), "document": {}, "troubled": False} for scope in sorted(scopes)]
    async with database.read() as connection:
        query = select(*_KEY).where(tuple_(*_KEY).in_(scopes))
        there = {Scope(*row) for row in (await connection.execute(query)).all()}
    if missing := [row for row in rows if Scope(row["kind"], row["owner"], row["provider"]) not in there]:
        async with database.write() as connection:
            await connection.execute(dialect.insert(shape).values(missing).on_conflict_do_nothing())


async def lock_documents(connection: AsyncConnection, scopes: Collection[Scope]) -> dict[Scope, dict[str, Any]]:
    """Their documents, which nobody else changes until this transaction ends."""
    rows = select(*_KEY, shape.c.document).where(tuple_(*_KEY).in_(scopes)).order_by(*_KEY).with_for_update()
    return {Scope(*row[:3]): row.document for row in (await connection.execute(rows)).all()}


async def write_document(
    connection: AsyncConnection, scope: Scope, document: Mapping[str, Any], troubled: bool = False
) -> None:
    """Of a row that is locked."""
    this = (column == value for column, value in zip(_KEY, scope, strict=True))
    await connection.execute(update(shape).where(*this).values(document=document, troubled=troubled))
