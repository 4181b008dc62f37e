"""Contacts from files, as CRM systems, Excel and address books write them, into the database."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from serienmail.domain.address import preferred
from serienmail.domain.contact import CONTACTS, LONGEST_KEY, FieldType, Value, is_key
from serienmail.storage.column_mapping import ColumnMapping, Target
from serienmail.storage.column_values import TEXTS, Notation, NotationCensus
from serienmail.storage.contacts import Attribute, ContactRow, ContactStore, ImportCounts
from serienmail.storage.csv_file import CsvFile
from serienmail.storage.records import BadRow, Records
from serienmail.storage.vcards import CardFile
from serienmail.storage.workbook import Workbook

_CHUNK = 10_000  # rows a transaction


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. rows: all that were read, the bad ones too."""

    rows: int
    added: int
    changed: int
    unchanged: int
    bad: tuple[BadRow, ...]


async def import_contacts(
    store: ContactStore,
    path: Path,
    mapping: Path | None = None,
    progress: Callable[[int], None] | None = None,
    module: str = CONTACTS,
    saved: Callable[[Sequence[str]], Awaitable[object]] | None = None,
) -> ImportReport:
    """Save a file's records; repeatable. Single bad rows are reported, a file that can't be read is ImportFailed.

    A CSV file is read three times, in threads: for its encoding, for the types of its columns, for its rows. So its
    size doesn't matter; of the rows only the keys stay in memory. progress: called with the number of rows so far.
    saved: is given the keys that were saved, some thousands at a time.
    """
    file = await asyncio.to_thread(_open, path)
    targets = (ColumnMapping.read(mapping) if mapping else ColumnMapping()).assign(file.headings)
    columns = await asyncio.to_thread(_columns, file, targets, await store.fields(module))
    attributes = [
        Attribute(column.target.name, column.notation.type, column.target.heading)
        for column in columns
        if not column.target.is_built_in
    ]
    await store.learn(attributes, module)
    given = {column.target.name for column in columns if column.target.is_built_in}
    entries = _entries(file, columns)
    counts, rows, bad = ImportCounts(), 0, list[BadRow]()
    while chunk := await asyncio.to_thread(lambda: list(islice(entries, _CHUNK))):
        bad += [entry for entry in chunk if isinstance(entry, BadRow)]
        good = [entry for entry in chunk if isinstance(entry, ContactRow)]
        counts += await store.save(good, given, module)
        if saved:
            await saved([row.key for row in good])
        rows += len(chunk)
        if progress:
            progress(rows)
    return ImportReport(rows, counts.added, counts.changed, counts.unchanged, tuple(bad))


def _open(path: Path) -> Records:
    """By the name's ending; whatever has another one is tried as CSV."""
    match path.suffix.lower():
        case ".xlsx":
            return Workbook.open(path)
        case ".vcf":
            return CardFile.open(path)
        case _:
            return CsvFile.open(path)


@dataclass(frozen=True, slots=True)
class _Column:
    """A column, its field, and how its texts are read; ``index`` counts from 0."""

    index: int
    target: Target
    notation: Notation

    def value(self, text: str) -> Value:
        """The text's value; ValueError if it is written in another way."""
        if text:
            return self.notation.read(text)
        if self.notation.type is FieldType.TEXT:
            return ""
        return False if self.target.is_built_in else None  # no opt-in is a no


def _columns(file: Records, targets: Sequence[Target], known: Mapping[str, FieldType]) -> list[_Column]:
    """The columns with their notations. Free attributes nobody ever filled are left out: their type can't be told."""
    censuses = {
        index: NotationCensus(target.type or known.get(target.name), english_first=file.english_first)
        for index, target in enumerate(targets)
        if target.type is not FieldType.TEXT
    }
    for entry in file.rows():
        row = [] if isinstance(entry, BadRow) else entry[1]
        for index, census in censuses.items():
            if index < len(row) and row[index]:
                census.add(row[index])
    return [
        _Column(index, target, censuses[index].winner if index in censuses else TEXTS)
        for index, target in enumerate(targets)
        if target.type or target.name in known or not censuses[index].is_empty
    ]


def _entries(file: Records, columns: Sequence[_Column]) -> Iterator[ContactRow | BadRow]:
    """Each row as a contact or as a bad row."""
    keys, columns = set[str](), sorted(columns, key=lambda column: column.target.place)
    for found in file.rows():
        if isinstance(found, BadRow):
            yield found
            continue
        line, row = found
        if len(row) != len(file.headings):
            yield BadRow(line, f"{len(row)} fields, expected {len(file.headings)} as in the headings")
            continue
        entry = _entry(line, row, columns)
        if isinstance(entry, ContactRow) and entry.key in keys:
            entry = BadRow(line, "the key occurs a second time, expected each once")
        elif isinstance(entry, ContactRow):
            keys.add(entry.key)
        yield entry


def _entry(line: int, row: Sequence[str], columns: Sequence[_Column]) -> ContactRow | BadRow:
    fields, attributes, addresses = dict[str, Any](), dict[str, Value](), list[str]()
    for column in columns:
        try:
            value = column.value(row[column.index])
        except ValueError:
            return BadRow(line, f"column '{column.target.heading}': expected {column.notation.expected}")
        if column.target.name == "email":
            addresses.append(str(value))
        else:
            (fields if column.target.is_built_in else attributes)[column.target.name] = value
    if not fields["key"]:
        return BadRow(line, "no key, expected one in each row")
    if not is_key(fields["key"]):
        return BadRow(line, f"the key, expected {LONGEST_KEY} characters at most, none of them for control")
    email, others = preferred(addresses)
    return ContactRow(attributes=attributes, email=email, other_addresses=others, **fields)
