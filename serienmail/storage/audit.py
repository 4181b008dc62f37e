"""The record of commands; nothing in it is ever changed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.audit import AuditRecord
from serienmail.storage.database import Database
from serienmail.storage.tables import audit

_DOCUMENT = TypeAdapter(dict[str, Any])


class AuditStore:
    """Writes and reads records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        act: str,
        by: str,
        about: str,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        refused: str = "",
    ) -> None:
        """Keep a record of now that isn't a workflow's."""
        record = AuditRecord(
            at=datetime.now(UTC), by=by, act=act, about=about, before=before or {}, after=after or {}, refused=refused
        )
        async with self._database.write() as connection:
            await record_commands(connection, [record])

    async def of(self, about: str | None = None) -> Sequence[AuditRecord]:
        """What was commanded, the oldest first; of one mass mail, or all."""
        query = select(*(audit.c[name] for name in _COLUMNS)).order_by(audit.c.at, audit.c.id)
        if about is not None:
            query = query.where(audit.c.about == about)
        async with self._database.read() as connection:
            return [AuditRecord(**row) for row in (await connection.execute(query)).mappings()]


_COLUMNS = [column.name for column in audit.c if column.name != "id"]


async def record_commands(connection: AsyncConnection, records: Sequence[AuditRecord]) -> None:
    """Keep these records in this transaction; what a workflow says twice is kept once."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    for record in records:
        row = {name: getattr(record, name) for name in _COLUMNS}
        row |= {name: _DOCUMENT.dump_python(row[name], mode="json") for name in ("before", "after")}
        await connection.execute(dialect.insert(audit).values(row).on_conflict_do_nothing())
