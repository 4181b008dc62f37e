"""A company's own tables are read by a query, and never written."""

from pathlib import Path

import pytest
from sqlalchemy import text

from serienmail.domain.errors import ImportFailed
from serienmail.storage.database import Database
from serienmail.storage.source_query import write_query

QUERY = "SELECT no AS key, mail, since, revenue, vip FROM person WHERE branch = :branch ORDER BY no"


@pytest.fixture
async def crm(database: Database) -> str:
    """The address of a CRM's database, with three people in it."""
    columns = "no integer, mail text, since date, revenue numeric(12, 2), vip boolean, branch text"
    async with database.write() as connection:
        await connection.execute(text(f"CREATE TABLE person ({columns})"))
        await connection.execute(
            text(
                "INSERT INTO person VALUES (1, 'ida@example.org', '2026-03-02', 1234.5, true, 'Ulm'),"
                " (2, 'a, \"b\"', NULL, NULL, false, 'Ulm'), (3, '', NULL, 1, true, 'Bonn')"
            )
        )
    return database.url


async def test_rows_become_a_file_that_can_be_imported(crm: str, tmp_path: Path) -> None:
    file = tmp_path / "source.csv"
    await write_query(crm, QUERY, {"branch": "Ulm"}, file)
    vip = "1", "0"  # SQLite has no booleans
    lines = file.read_text().splitlines()
    assert lines[0] == "key,mail,since,revenue,vip"
    assert lines[1] in ("1,ida@example.org,2026-03-02,1234.50,yes", f"1,ida@example.org,2026-03-02,1234.5,{vip[0]}")
    assert lines[2] in ('2,"a, ""b""",,,no', f'2,"a, ""b""",,,{vip[1]}')
    assert len(lines) == 3


@pytest.mark.parametrize("query", ["DELETE FROM person RETURNING no AS key", "SELECT nothing FROM person", "SELECT :x"])
async def test_a_query_that_writes_or_fails_is_refused_and_changes_nothing(
    crm: str, database: Database, tmp_path: Path, query: str
) -> None:
    with pytest.raises(ImportFailed, match="the source's query failed") as refused:
        await write_query(crm, query, {}, tmp_path / "source.csv")
    assert "example.org" not in str(refused.value)
    async with database.read() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM person"))).scalar_one() == 3


@pytest.mark.parametrize("url", ["sqlite+aiosqlite:////missing.db", "postgresql+asyncpg://nobody@127.0.0.1:1/x"])
async def test_a_database_that_is_not_there_is_said(url: str, tmp_path: Path) -> None:
    with pytest.raises(ImportFailed, match=r"doesn't exist|failed"):
        await write_query(url, QUERY, {"branch": "Ulm"}, tmp_path / "source.csv")
