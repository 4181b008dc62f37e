"""Many rows given to a statement whose text is the same for one as for hundreds."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from pydantic_core import to_json  # a third of what json takes
from sqlalchemy import Column, FromClause, Update, bindparam, cast, column, func, literal_column, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import WriteableColumnCollection
from sqlalchemy.types import TypeEngine

Rows = Sequence[Mapping[str, Any]]


def given_rows(parameter: str, columns: Mapping[str, TypeEngine[Any]], is_sqlite: bool) -> FromClause:
    """The parameter, a text by ``as_given``, as a table of these columns."""
    if is_sqlite:
        each = func.json_each(bindparam(parameter)).table_valued("value")
        values = {name: func.json_extract(each.c.value, f"$.{name}", type_=kind) for name, kind in columns.items()}
        labelled = (value.label(name) for name, value in values.items())
        return select(*labelled).select_from(each).subquery(parameter)
    records = func.jsonb_to_recordset(cast(bindparam(parameter), JSONB))
    typed = (column(name, kind) for name, kind in columns.items())
    return records.table_valued(*typed).render_derived(name=parameter, with_types=True)


class OneRow:
    """A given row on SQLite: its columns are the statement's parameters. Times in it are texts, as in JSON."""

    def __init__(self, columns: Mapping[str, TypeEngine[Any]]) -> None:
        self.c = WriteableColumnCollection[str, Any]()
        for name, kind in columns.items():
            self.c.add(literal_column(f":{name}", kind), name)


Given = FromClause | OneRow
"""What a ``RowsUpdate`` is given: a table of rows on PostgreSQL, one row on SQLite."""


class RowsUpdate:
    """An update by given rows. PostgreSQL takes them all as one parameter. SQLite takes one after the other: to read
    a row from JSON costs it more than to write one.
    """

    def __init__(self, update: Update, parameter: str, returns: Column[str], is_sqlite: bool) -> None:
        """returns: a column of what is written; it has the same value in the given row."""
        self.returning = update.returning(returns)
        self.parameter = parameter
        self.returns = returns.name
        self.text, self.text_returning = (_text(update), _text(self.returning)) if is_sqlite else ("", "")

    async def write(self, connection: AsyncConnection, rows: Rows) -> frozenset[str]:
        """What it returned."""
        if not self.text:
            return frozenset((await connection.execute(self.returning, {self.parameter: as_given(rows)})).scalars())
        written = [await connection.exec_driver_sql(self.text_returning, dict(row)) for row in rows]
        return frozenset(value for each in written for value in each.scalars())


def _text(update: Update) -> str:
    """With its constants in it: each parameter costs, for each row."""
    return str(update.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))


def as_given(rows: Iterable[Mapping[str, Any]]) -> str:
    """What ``given_rows`` reads. Times must be ``as_text``."""
    return to_json(list(rows)).decode()


@lru_cache(maxsize=1024)  # the same few come with all mails of a moment, and of an import
def as_text(at: datetime, is_sqlite: bool) -> str:
    """A time as the database reads it; as SQLite has it, without zone: it compares times as texts."""
    text = at.astimezone(UTC).isoformat(" ", "microseconds")
    return text[:_WITHOUT_ZONE] if is_sqlite else text


_WITHOUT_ZONE = len("2026-03-02 12:00:00.000000")
