"""What concerns people rather than mass mails: the suppression list, and the data of one person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serienmail.domain.address import address_key
from serienmail.domain.errors import CommandRefused, InvalidOrder, NotFound
from serienmail.domain.rights import Role
from serienmail.domain.suppression import ALL_TOPICS, Suppression, SuppressionReason
from serienmail.storage.persons import Erased
from serienmail.storage.records import BadRow
from serienmail.storage.suppression_file import read_suppressions, write_suppressions
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
        await self._require("suppress", by, LIST, Role.SEND)
        now = datetime.now(UTC)
        entry = Suppression(
            address_key=_key(address), topic=topic, reason=SuppressionReason.BY_HAND, since=now, source=by
        )
        added = await self._services.suppressions.add([entry], now)
        await self._services.audit.add("suppress", by, LIST, after={"added": added})
        return bool(added)

    async def release(self, address: str, by: str, topic: str | None = None) -> int:
        """Take an address off the list, of one topic or of all; how many entries. NotFound if it isn't on it."""
        await self._require("release", by, LIST, Role.ADMINISTER)
        removed = await self._services.suppressions.remove(_key(address), topic)
        if not removed:
            raise NotFound("This address isn't on the suppression list; 'serienmail suppressions list' shows who is.")
        await self._services.audit.add("release", by, LIST, after={"removed": removed})
        return removed

    async def import_list(self, file: Path, by: str) -> ListImport:
        """Put a file's addresses on the list; every line is added, known or reported."""
        await self._require("import", by, LIST, Role.SEND)
        now = datetime.now(UTC)
        read = list(read_suppressions(file, now))
        entries = [entry for entry in read if isinstance(entry, Suppression)]
        added = await self._services.suppressions.add(entries, now)
        bad = [entry for entry in read if isinstance(entry, BadRow)]
        done = ListImport(added, len(entries) - added, bad)
        await self._services.audit.add("import", by, LIST, after={"added": added, "bad lines": len(bad)})
        return done

    async def export_list(self, file: Path, by: str) -> int:
        """Write the whole list to a file; how many entries."""
        await self._require("export", by, LIST, Role.SEND)
        entries = await self._services.suppressions.all()
        write_suppressions(file, entries)
        await self._services.audit.add("export", by, LIST, after={"entries": len(entries)})
        return len(entries)

    async def export(self, address: str, by: str) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Everything that is known about a person."""
        await self._require("export", by, PERSON, Role.ADMINISTER)
        known = await self._services.persons.export(_key(address))
        await self._services.audit.add("export", by, PERSON, after={name: len(rows) for name, rows in known.items()})
        return known

    async def erase(self, address: str, by: str) -> Erased:
        """Leave nothing of a person but a keyed hash on the suppression list."""
        await self._require("erase", by, PERSON, Role.ADMINISTER)
        return await self._services.persons.erase(_key(address), by, datetime.now(UTC))

    async def _require(self, act: str, by: str, about: str, role: Role) -> None:
        if refused := self._services.settings.rights.lacks(by, role):
            await self._services.audit.add(act, by, about, refused=refused)
            raise CommandRefused(refused)


def _key(address: str) -> str:
    key = address_key(address)
    if key is None:
        raise InvalidOrder("That is no mail address; correct it.")
    return key
