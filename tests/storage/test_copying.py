"""A rehearsal reaches the same people as the mass mail would."""

import shutil
from pathlib import Path

from sqlalchemy import func, select

from serienmail.storage.contacts import ContactStore
from serienmail.storage.copying import copy_for_rehearsal
from serienmail.storage.database import Database
from serienmail.storage.tables import contact, contact_address
from tests.builders import a_contact


async def test_all_addresses_of_a_contact_are_copied(database: Database, migrated_sqlite: Path, tmp_path: Path) -> None:
    await ContactStore(database).save([a_contact(1, other_addresses=("home@example.org",)), a_contact(2)])
    rehearsal = Database(f"sqlite+aiosqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'rehearsal.db')}")
    await copy_for_rehearsal(database, rehearsal)
    async with rehearsal.read() as connection:
        counts = [
            (await connection.execute(select(func.count()).select_from(table))).scalar_one()
            for table in (contact, contact_address)
        ]
    await rehearsal.close()
    assert counts == [2, 1]
