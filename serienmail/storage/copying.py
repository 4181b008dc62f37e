"""Copy what a rehearsal needs from one database to another: people and texts, no ledger and no history."""

from sqlalchemy import insert, select

from serienmail.storage.database import Database
from serienmail.storage.selection_tables import saved_filter, selection, work_list, work_list_member
from serienmail.storage.tables import contact, contact_address, contact_field, file, suppression, template

BATCH = 5_000
_COPIED = (
    *(contact_field, contact, contact_address, suppression, file, template),
    *(selection, saved_filter, work_list, work_list_member),
)


async def copy_for_rehearsal(source: Database, target: Database) -> None:
    """Contacts with their fields, suppressions, templates and selections, ids included. The target must be empty."""
    for table in _COPIED:
        async with source.read() as reading, target.write() as writing:
            rows = await reading.stream(select(table))
            async for batch in rows.mappings().partitions(BATCH):
                await writing.execute(insert(table), [dict(row) for row in batch])
