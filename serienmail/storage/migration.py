"""Bring a database to the schema this version expects, and tell when it isn't there."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from serienmail.domain.errors import EnvironmentFault
from serienmail.storage.database import Database

_one_at_a_time = asyncio.Lock()  # alembic's `op` is one for the whole process


def alembic_config() -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


async def migrate(database: Database) -> None:
    """Run the migrations that are missing. Safe to repeat; PostgreSQL lets one process at a time do it."""

    def upgrade(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7461)")
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    async with _one_at_a_time, database.write() as connection:
        await connection.run_sync(upgrade)


async def revision_of(database: Database) -> str | None:
    """The last migration that was run; None if it has no tables yet."""

    def current(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    async with database.read() as connection:
        return await connection.run_sync(current)


async def require_migrated(database: Database) -> None:
    """EnvironmentFault unless the schema is this version's."""
    found = await revision_of(database)
    expected = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if found != expected:
        state = f"is at {found}" if found else "has no tables yet"
        raise EnvironmentFault(f"The database {state}; run 'serienmail migrate' first.")
