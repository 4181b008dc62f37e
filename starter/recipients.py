"""Whom mass mails are for: selections, saved filters, and work lists with their files. Needs the database only."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import islice
from pathlib import Path

from serienmail.domain.contact import CONTACTS
from serienmail.domain.criteria import Criterion
from serienmail.domain.errors import AlreadyExists, ImportFailed, InvalidOrder
from serienmail.domain.filters import Filter, check_filter, resolved
from serienmail.domain.near_duplicates import NearDuplicate, near_duplicates
from serienmail.domain.recipient_set import RecipientSet, Structure, together
from serienmail.domain.selection import Selection
from serienmail.storage.work_lists import Changed
from starter.on_record import on_record
from starter.services import Services

__all__ = ["Changed", "Recipients"]
LARGEST_FILE = 100_000_000
"""Bytes of a saved list, which is read as a whole: some millions of keys."""


class Recipients:
    """What people do before they order. InvalidOrder if a criterion names what isn't there.

    by: whose command it is. CommandRefused if that user may only look.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    async def select(
        self,
        criterion: Criterion | None = None,
        *,
        ignore: Criterion | None = None,
        removed: Criterion | None = None,
        module: str = CONTACTS,
    ) -> str:
        """Store a selection; the id that orders name it by. Without a criterion: all records of the module.

        ignore, removed: who of them is left out, by criteria or by hand, and shown as such.
        """
        words = await self._services.selections.vocabulary(module)
        for part in (criterion, ignore, removed):
            if part is not None:
                resolved(part, words)
        return await self._services.selections.save(Selection(criterion, ignore, removed, module))

    async def count(self, criterion: Criterion | None, module: str = CONTACTS) -> int:
        """How many records a criterion picks now."""
        return await self._services.contacts.count(await self._services.selections.condition(criterion, module))

    async def near_duplicates(
        self, criterion: Criterion | None = None, module: str = CONTACTS, limit: int = 100
    ) -> Sequence[NearDuplicate]:
        """The first pairs of records that may be one person; for people to look at, nothing is done about them."""
        picked = await self._services.selections.condition(criterion, module)
        people = await self._services.contacts.people(picked)
        return await asyncio.to_thread(lambda: list(islice(near_duplicates(people), limit)))

    async def save_filter(self, name: str, criterion: Criterion, module: str = CONTACTS, *, by: str) -> int:
        """Save a criterion under a name, in place of the one that has it; how many records it picks now.

        ``InFilter(name)`` then means it.
        """
        saved = Filter(name, criterion, module)
        check_filter(saved, await self._services.selections.vocabulary(module))
        async with on_record(self._services, "save_filter", by, f"filter {name}") as noted:
            noted.before = await self._picked_before(name)
            await self._services.filters.save(saved)
            noted.after["records"] = await self.count(criterion, module)
        return int(noted.after["records"])

    async def delete_filter(self, name: str, *, by: str) -> None:
        """Forget a filter; whatever still refers to it is refused. NotFound if there is none."""
        async with on_record(self._services, "delete", by, f"filter {name}") as noted:
            noted.before = await self._picked_before(name)
            await self._services.filters.delete(name)
            noted.after["records"] = 0

    async def create_list(
        self, name: str, criterion: Criterion | None = None, module: str = CONTACTS, *, by: str
    ) -> Changed:
        """A work list of whom the criterion picks now; empty without one. AlreadyExists if the name is taken."""
        if criterion is not None:
            resolved(criterion, await self._services.selections.vocabulary(module))
        async with self._list_on_record("create", name, by):
            await self._services.lists.create(name, module)
            return await self._add(name, (), criterion)

    async def delete_list(self, name: str, *, by: str) -> None:
        """Forget a list; its records stay. NotFound if there is none."""
        async with self._list_on_record("delete", name, by):
            await self._services.lists.delete(name)

    async def add(
        self, name: str, keys: Sequence[str] = (), criterion: Criterion | None = None, *, by: str
    ) -> Changed:
        """Put records on a list: these keys, and whom the criterion picks now."""
        async with self._list_on_record("add", name, by):
            return await self._add(name, keys, criterion)

    async def _add(self, name: str, keys: Sequence[str], criterion: Criterion | None) -> Changed:
        module = await self._services.lists.module(name)
        by_criterion = Changed()
        if criterion is not None:
            picked = await self._services.selections.condition(criterion, module)
            by_criterion = await self._services.lists.add(name, picked)
        by_hand = await self._services.lists.add_keys(name, keys, module)
        return Changed(by_criterion.records + by_hand.records, by_hand.unknown)

    async def remove(
        self, name: str, keys: Sequence[str] = (), criterion: Criterion | None = None, *, by: str
    ) -> Changed:
        """Take records from a list: these keys, and whom the criterion picks now."""
        async with self._list_on_record("remove", name, by):
            return await self._remove(name, keys, criterion)

    async def _remove(self, name: str, keys: Sequence[str], criterion: Criterion | None) -> Changed:
        module = await self._services.lists.module(name)
        by_criterion = Changed()
        if criterion is not None:
            picked = await self._services.selections.condition(criterion, module)
            by_criterion = await self._services.lists.remove(name, picked)
        by_hand = await self._services.lists.remove_keys(name, keys)
        return Changed(by_criterion.records + by_hand.records, by_hand.unknown)

    async def save_list(self, name: str, file: Path) -> int:
        """Write a list to a JSON file, with its records' structure; how many records."""
        structure = await self._structure(await self._services.lists.module(name))
        saved = RecipientSet(structure, tuple(await self._services.lists.keys(name)))
        await asyncio.to_thread(_write, file, saved)
        return len(saved.keys)

    async def load_list(self, name: str, files: Sequence[Path], *, by: str) -> Changed:
        """Put the records of saved files on a list, made if need be; ImportFailed if they don't go together."""
        async with self._list_on_record("load", name, by):
            return await self._load(name, files)

    async def _load(self, name: str, files: Sequence[Path]) -> Changed:
        sets = {str(file): await asyncio.to_thread(_read, file) for file in files}
        module = next(iter(sets.values())).structure.module
        keys = together(sets, await self._structure(module))
        try:
            await self._services.lists.create(name, module)
        except AlreadyExists:
            here = await self._services.lists.module(name)
            if here != module:
                raise ImportFailed(
                    f"the list has {(await self._structure(here)).words}, the file"
                    f" {next(iter(sets.values())).structure.words}; load it into another list."
                ) from None
        return await self._services.lists.add_keys(name, keys, module)

    @asynccontextmanager
    async def _list_on_record(self, act: str, name: str, by: str) -> AsyncIterator[None]:
        """A list's size before and after."""
        async with on_record(self._services, act, by, f"list {name}") as noted:
            noted.before["records"] = await self._services.lists.size(name)
            yield
            noted.after["records"] = await self._services.lists.size(name)

    async def _picked_before(self, name: str) -> dict[str, int]:
        """How many records a filter picks, if it is there, and names nothing that has gone."""
        for saved in await self._services.filters.all():
            if saved.name == name:
                with suppress(InvalidOrder):
                    return {"records": await self.count(saved.criterion, saved.module)}
        return {}

    async def _structure(self, module: str) -> Structure:
        return Structure(module, await self._services.contacts.fields(module))


def _write(file: Path, saved: RecipientSet) -> None:
    try:
        file.write_text(json.dumps(saved.to_document(), ensure_ascii=False, indent=1), "utf-8")
    except OSError as error:
        raise ImportFailed(f"the file can't be written ({error.strerror}); choose another one.") from error


def _read(file: Path) -> RecipientSet:
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise ImportFailed(f"{file.name} is larger than {LARGEST_FILE // 1_000_000} MB; save smaller lists.")
        return RecipientSet.from_document(json.loads(file.read_text("utf-8")))
    except OSError as error:
        raise ImportFailed(f"{file.name} can't be opened ({error.strerror}); check its name.") from error
    except (ValueError, RecursionError) as error:  # of JSON and of UTF-8
        raise ImportFailed(f"{file.name} is no JSON; save the set again.") from error
