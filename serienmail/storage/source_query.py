"""A query on somebody else's database, written to a CSV file that is then imported like any other."""

import csv
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from serienmail.domain.errors import ImportFailed

BATCH = 5_000


async def write_query(url: str, query: str, parameters: Mapping[str, Any], file: Path) -> None:
    """Run a query that only reads, with named parameters, and write its columns' names and rows to a new file.

    ImportFailed if the database can't be reached or refuses the query; its own words would show values.
    """
    _check_exists(url)
    engine = create_async_engine(url, hide_parameters=True)
    try:
        async with engine.connect() as connection:
            await _only_read(connection)
            with file.open("w", encoding="utf-8", newline="") as output:
                rows = await connection.stream(text(query), parameters)
                writer = csv.writer(output)
                writer.writerow(rows.keys())
                async for batch in rows.partitions(BATCH):
                    writer.writerows([_text(value) for value in row] for row in batch)
    except Exception as error:  # while it connects, asyncpg's own exceptions come through as they are
        reason = type(error.orig if isinstance(error, DBAPIError) else error).__name__
        raise ImportFailed(f"the source's query failed ({reason}); try it on its database, and correct it.") from error
    finally:
        await engine.dispose()


def _check_exists(url: str) -> None:
    """SQLite would make a missing file, and find it empty."""
    if url.startswith("sqlite") and not Path(make_url(url).database or "").is_file():
        raise ImportFailed("the source's database file doesn't exist; correct its url in the settings.")


async def _only_read(connection: AsyncConnection) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    await connection.execute(text("PRAGMA query_only = ON" if is_sqlite else "SET TRANSACTION READ ONLY"))


def _text(value: object) -> str:
    """As an English export would write it, without losing a digit."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return f"{value:f}"
        case datetime() if value.time() == datetime.min.time():
            return value.date().isoformat()
        case _:
            return str(value)
