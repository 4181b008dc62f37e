"""Contacts from a CSV file, as CRM systems and Excel write them, into the database."""

import asyncio
import codecs
import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import StringIO
from itertools import chain, islice
from pathlib import Path
from typing import Any

from serienmail.domain.address import address_key
from serienmail.domain.contact import FieldType, Value
from serienmail.domain.errors import ImportFailed
from serienmail.storage.column_mapping import ColumnMapping, Target, refuse_doubles
from serienmail.storage.column_values import TEXTS, Notation, NotationCensus
from serienmail.storage.contacts import Attribute, ContactRow, ContactStore, ImportCounts

_CHUNK = 10_000  # rows a transaction
_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that wasn't imported. line: where it begins, from 1; reason: for the terminal only."""

    line: int
    reason: str


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
) -> ImportReport:
    """Save a file's contacts; repeatable. Single bad rows are reported, a file that can't be read is ImportFailed.

    The file is read three times, in threads: for its encoding, for the types of its columns, for its rows. So its
    size doesn't matter; of the rows only the keys stay in memory. progress: called with the number of rows so far.
    """
    file = await asyncio.to_thread(ContactFile.open, path)
    targets = (ColumnMapping.read(mapping) if mapping else ColumnMapping()).assign(file.headings)
    columns = await asyncio.to_thread(_columns, file, targets, await store.fields())
    await store.learn(
        Attribute(column.target.name, column.notation.type, column.target.heading)
        for column in columns
        if not column.target.is_built_in
    )
    given = {column.target.name for column in columns if column.target.is_built_in}
    entries = _entries(file, columns)
    counts, rows, bad = ImportCounts(), 0, list[BadRow]()
    while chunk := await asyncio.to_thread(lambda: list(islice(entries, _CHUNK))):
        bad += [entry for entry in chunk if isinstance(entry, BadRow)]
        counts += await store.save([entry for entry in chunk if isinstance(entry, ContactRow)], given)
        rows += len(chunk)
        if progress:
            progress(rows)
    return ImportReport(rows, counts.added, counts.changed, counts.unchanged, tuple(bad))


@dataclass(frozen=True, slots=True)
class ContactFile:
    """A CSV file whose encoding, delimiter and headings are known."""

    path: Path
    encoding: str
    delimiter: str
    headings: tuple[str, ...]

    @classmethod
    def open(cls, path: Path) -> "ContactFile":
        """Look into the file; ImportFailed if it is none, or has no headings."""
        try:
            encoding = _encoding(path)
            with path.open(encoding=encoding, newline="") as file:
                start = file.read(_BLOCK)
        except OSError as error:
            raise ImportFailed(f"the contact file can't be opened ({error.strerror}); check its name.") from error
        if not start.strip():
            raise ImportFailed("the contact file is empty; export the contacts again, with a line of headings.")
        delimiter, headings = max(((mark, _headings(start, mark)) for mark in ";,\t"), key=lambda found: len(found[1]))
        _check_headings(headings)
        return cls(path, encoding, delimiter, headings)

    def rows(self) -> Iterator[tuple[int, list[str]] | BadRow]:
        """The line and the trimmed fields of each row after the headings; rows without any value are skipped."""
        with self.path.open(encoding=self.encoding, newline="") as file:
            # strict: else a quote that is never closed would swallow the next row without a word
            reader = csv.reader(file, delimiter=self.delimiter, strict=True)
            line, seen_headings = 1, False
            while True:
                try:
                    row = [text.strip() for text in next(reader)]
                except StopIteration:
                    return
                except csv.Error:
                    yield BadRow(line, f"not readable up to line {reader.line_num}, expected each quote to be closed")
                    row = []
                if any(row):
                    if seen_headings:
                        yield line, row
                    seen_headings = True
                line = reader.line_num + 1


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            encodings = ["utf-16"]
        else:
            encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        if _decodes(path, encoding):
            return encoding
    raise ImportFailed("the contact file's encoding is unknown; save it as CSV UTF-8 and import it again.")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    beyond_ascii = False
    with path.open("rb") as file:
        for block in chain(iter(partial(file.read, _BLOCK), b""), [b""]):  # the last one ends the decoding
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                beyond_ascii |= not error.object[: error.start].isascii()
                if encoding == "utf-8-sig" and beyond_ascii:  # read as cp1252, every umlaut would be two characters
                    raise ImportFailed("the contact file is broken UTF-8; export it again as CSV UTF-8.") from error
                return False
            if "\0" in text:
                raise ImportFailed("the contact file is no text but perhaps a workbook; save it as CSV UTF-8.")
            beyond_ascii |= not text.isascii()
    return True


def _headings(start: str, delimiter: str) -> tuple[str, ...]:
    try:
        first = next(row for row in csv.reader(StringIO(start, newline=""), delimiter=delimiter) if any(row))
    except (csv.Error, StopIteration):
        return ()
    return tuple(text.strip() for text in first)


def _check_headings(headings: Sequence[str]) -> None:
    if not headings or any(address_key(text) for text in headings):
        raise ImportFailed("the contact file's first line has no headings; add a line that names the columns.")
    if "" in headings:
        raise ImportFailed(f"column {headings.index('') + 1} of the contact file has no heading; give it one.")
    refuse_doubles("the contact file has the heading", headings)


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


def _columns(file: ContactFile, targets: Sequence[Target], known: Mapping[str, FieldType]) -> list[_Column]:
    """The columns with their notations. Free attributes nobody ever filled are left out: their type can't be told."""
    censuses = {
        index: NotationCensus(target.type or known.get(target.name), english_first=file.delimiter == ",")
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


def _entries(file: ContactFile, columns: Sequence[_Column]) -> Iterator[ContactRow | BadRow]:
    """Each row as a contact or as a bad row."""
    keys = set[str]()
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
    fields, attributes = dict[str, Any](), dict[str, Value]()
    for column in columns:
        try:
            value = column.value(row[column.index])
        except ValueError:
            return BadRow(line, f"column '{column.target.heading}': expected {column.notation.expected}")
        (fields if column.target.is_built_in else attributes)[column.target.name] = value
    if not fields["key"]:
        return BadRow(line, "no key, expected one in each row")
    return ContactRow(attributes=attributes, **fields)
