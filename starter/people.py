"""What concerns people rather than mass mails: the suppression list, and the data of one person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serienmail.domain.address import address_key
from serienmail.domain.errors import InvalidOrder, NotFound
from serienmail.domain.rights import Role
from serienmail.domain.suppression import ALL_TOPICS, Suppression, SuppressionReason
from serienmail.storage.persons import Erased
from serienmail.storage.records import BadRow
from serienmail.storage.suppression_file import read_suppressions, write_suppressions
from starter.on_record import on_record, require
from starter.services import Services

LIST, PERSON = "suppressions", "person"
"""What the record of commands says that a command was about; whom it was about, it doesn't say."""


@dataclass(frozen=True, slots=True)
class ListImport:
    """What an import did. known: entries that were on the list before, or twice in the file."""

    added: int
    known: int
    bad: Sequence[BadRow]


class People:
    """Commands that need no mass mail. CommandRefused if the user's role isn't enough; each is on record."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def suppress(self, address: str, by: str, topic: str = ALL_TOPICS) -> bool:
        """No more mass mail to this address; False if it is on the list already."""
        async with on_record(self._services, "suppress", by, LIST) as noted:
            now = datetime.now(UTC)
            entry = Suppression(
                address_key=_key(address), topic=topic, reason=SuppressionReason.BY_HAND, since=now, source=by
            )
            noted.after["added"] = await self._services.suppressions.add([entry], now)
        return bool(noted.after["added"])

    async def release(self, address: str, by: str, topic: str | None = None) -> int:
        """Take an address off the list, of one topic or of all; how many entries. NotFound if it isn't on it."""
        async with on_record(self._services, "release", by, LIST, Role.ADMINISTER) as noted:
            removed = await self._services.suppressions.remove(_key(address), topic)
            if not removed:
                raise NotFound(
                    "This address isn't on the suppression list; 'serienmail suppressions list' shows who is."
                )
            noted.after["removed"] = removed
        return removed

    async def import_list(self, file: Path, by: str) -> ListImport:
        """Put a file's addresses on the list; every line is added, known or reported."""
        async with on_record(self._services, "import", by, LIST) as noted:
            now = datetime.now(UTC)
            read = list(read_suppressions(file, now))
            entries = [entry for entry in read if isinstance(entry, Suppression)]
            bad = [entry for entry in read if isinstance(entry, BadRow)]
            added = await self._services.suppressions.add(entries, now)
            noted.after = {"added": added, "bad lines": len(bad)}
        return ListImport(added, len(entries) - added, bad)

    async def export_list(self, file: Path, by: str) -> int:
        """Write the whole list to a file; how many entries."""
        async with on_record(self._services, "export", by, LIST) as noted:
            entries = await self._services.suppressions.all()
            write_suppressions(file, entries)
            noted.after["entries"] = len(entries)
        return len(entries)

    async def export(self, address: str, by: str) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Everything that is known about a person."""
        async with on_record(self._services, "export", by, PERSON, Role.ADMINISTER) as noted:
            known = await self._services.persons.export(_key(address))
            noted.after = {name: len(rows) for name, rows in known.items()}
        return known

    async def erase(self, address: str, by: str) -> Erased:
        """Leave nothing of a person but a keyed hash on the suppression list."""
        await require(self._services, "erase", by, PERSON, Role.ADMINISTER)
        return await self._services.persons.erase(_key(address), by, datetime.now(UTC))


def _key(address: str) -> str:
    key = address_key(address)
    if key is None:
        raise InvalidOrder("That is no mail address; correct it.")
    return key
