"""The schema arrives by migrations, and its absence is said."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlmodel import SQLModel

from serienmail.domain.errors import EnvironmentFault
from serienmail.storage.database import Database
from serienmail.storage.migration import migrate, require_migrated


async def test_a_migrated_database_has_exactly_the_tables_of_the_code(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_migrating_twice_changes_nothing(database: Database) -> None:
    await migrate(database)
    await require_migrated(database)


async def test_a_database_without_tables_is_refused_with_the_command_that_makes_them(database_url: str) -> None:
    database = Database(database_url)
    with pytest.raises(EnvironmentFault, match="serienmail migrate"):
        await require_migrated(database)
    await database.close()
