"""The schema arrives by migrations, and its absence is said."""

import asyncio
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text
from sqlmodel import SQLModel

from serienmail.domain.contact import BUILT_IN_FIELDS, FieldType
from serienmail.domain.errors import EnvironmentFault
from serienmail.storage.contacts import ContactRow, ContactStore, ImportCounts
from serienmail.storage.database import Database
from serienmail.storage.migration import alembic_config, migrate, require_migrated


async def test_a_migrated_database_has_exactly_the_tables_of_the_code(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_indexes_have_the_conditions_of_the_code(migrated_sqlite: Path) -> None:
    indexes = "SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
    of_the_code, of_migrations = create_engine("sqlite://"), create_engine(f"sqlite:///{migrated_sqlite}")
    SQLModel.metadata.create_all(of_the_code)
    with of_the_code.connect() as code, of_migrations.connect() as migrated:
        assert {row.sql for row in migrated.execute(text(indexes))} == {row.sql for row in code.execute(text(indexes))}
    for engine in (of_the_code, of_migrations):
        engine.dispose()


async def test_migrating_twice_changes_nothing(database: Database) -> None:
    await migrate(database)
    await require_migrated(database)


async def test_contacts_from_before_there_were_modules_are_kept(database_url: str) -> None:
    database = Database(database_url)

    def first_tables(connection: Connection) -> None:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        names = [name for name in BUILT_IN_FIELDS if name not in ("key", "opt_in", "tracking")]
        columns, values = ", ".join(names), ", ".join("''" for _ in names)
        new = f"INSERT INTO contact (key, opt_in, tracking, attributes, imported_at, {columns})"
        connection.execute(text(f"{new} VALUES ('7', true, true, '{{}}', '2026-03-02', {values})"))
        connection.execute(text("INSERT INTO contact_field (name, type, label) VALUES ('revenue', 'number', '')"))

    async with database.write() as connection:
        await connection.run_sync(first_tables)
    await migrate(database)
    store = ContactStore(database)
    assert (await store.fields())["revenue"] is FieldType.NUMBER
    assert await store.find("7") is not None
    await store.save([ContactRow(key="7")], module="lead")  # the key is unique for each module now
    assert await store.save([ContactRow(key="7", city="Ulm")]) == ImportCounts(changed=1)
    await database.close()


async def test_a_database_without_tables_is_refused_with_the_command_that_makes_them(database_url: str) -> None:
    database = Database(database_url)
    with pytest.raises(EnvironmentFault, match="serienmail migrate"):
        await require_migrated(database)
    await database.close()


async def test_two_databases_of_one_process_are_migrated_side_by_side(tmp_path: Path) -> None:
    databases = [Database(f"sqlite+aiosqlite:///{tmp_path}/{name}.db") for name in ("one", "other")]
    await asyncio.gather(*map(migrate, databases))
    for database in databases:
        await require_migrated(database)
        await database.close()
