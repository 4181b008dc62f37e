"""Many rows given to a statement as one parameter, so that its text is the same for one as for hundreds."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from pydantic_core import to_json  # a third of what json takes
from sqlalchemy import FromClause, bindparam, cast, column, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine


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


def as_given(rows: Iterable[Mapping[str, Any]]) -> str:
    """What ``given_rows`` reads. Times must be ``as_text``."""
    return to_json(list(rows)).decode()


@lru_cache(maxsize=1024)  # the same few come with all mails of a moment, and of an import
def as_text(at: datetime, is_sqlite: bool) -> str:
    """A time as the database reads it; as SQLite has it, without zone: it compares times as texts."""
    text = at.astimezone(UTC).isoformat(" ", "microseconds")
    return text[:_WITHOUT_ZONE] if is_sqlite else text


_WITHOUT_ZONE = len("2026-03-02 12:00:00.000000")
