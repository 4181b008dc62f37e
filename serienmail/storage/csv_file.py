"""CSV files, as CRM systems and Excel write them; read as a stream, so that their size doesn't matter."""

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from io import StringIO
from itertools import chain
from pathlib import Path

from serienmail.domain.errors import ImportFailed
from serienmail.storage.records import BadRow, check_headings

_BLOCK = 1 << 20  # bytes
_READABLE = f"each quote to be closed, and no text of more than {csv.field_size_limit():,} characters"


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file whose encoding, delimiter and headings are known."""

    path: Path
    encoding: str
    delimiter: str
    headings: tuple[str, ...]

    @classmethod
    def open(cls, path: Path) -> "CsvFile":
        """Look into the file; ImportFailed if it is none, or has no headings."""
        try:
            encoding = encoding_of(path)
            with path.open(encoding=encoding, newline="") as file:
                start = file.read(_BLOCK)
        except OSError as error:
            raise ImportFailed(f"the contact file can't be opened ({error.strerror}); check its name.") from error
        if not start.strip():
            raise ImportFailed("the contact file is empty; export the contacts again, with a line of headings.")
        delimiter, headings = max(((mark, _headings(start, mark)) for mark in ";,\t"), key=lambda found: len(found[1]))
        check_headings(headings)
        return cls(path, encoding, delimiter, headings)

    @property
    def english_first(self) -> bool:
        """Commas between the columns are an English installation's."""
        return self.delimiter == ","

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
                    yield BadRow(line, f"not readable up to line {reader.line_num}, expected {_READABLE}")
                    row = []
                if any(row):
                    if seen_headings:
                        yield line, row
                    seen_headings = True
                line = reader.line_num + 1


def encoding_of(path: Path) -> str:
    """UTF-8, UTF-16 or cp1252; ImportFailed if it is none of them (docs/adr/0007)."""
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
