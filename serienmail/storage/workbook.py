"""Excel workbooks: the one filled sheet, with the values that Excel last showed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError

from serienmail.domain.errors import ImportFailed
from serienmail.storage.records import BadRow, check_headings

LARGEST_FILE = 50_000_000
"""Bytes. A sheet is read into memory as a whole, about a million rows here."""
LARGEST_CONTENT = 400_000_000
"""Bytes of everything in the file when unpacked; a small file can hold gigabytes on purpose."""

_BLOCK = 1 << 20
_UNSAVED = re.compile(rb'<c (?![^>]*t="str")[^>]*><f(?:[^>]*/>|[^>]*>[^<]*</f>)(?:<v\s*/>|<v></v>)?</c>')
_ERROR = re.compile(rb'<c [^>]*t="e"')


@dataclass(frozen=True, slots=True)
class Workbook:
    """A workbook's filled sheet; its first filled row names the columns."""

    sheet: CalamineSheet
    headings: tuple[str, ...]
    english_first: bool = True  # numbers come as numbers, and are written with a point here

    @classmethod
    def open(cls, path: Path) -> "Workbook":
        """Look into the file; ImportFailed, before it is read, if it is too large, and if values would be lost."""
        try:
            if path.stat().st_size > LARGEST_FILE:
                raise ImportFailed(_too_large(LARGEST_FILE, "is larger than"))
            _check_content(path)
            sheet = _only_sheet(CalamineWorkbook.from_path(str(path)))
        except OSError as error:
            raise ImportFailed(f"the contact file can't be opened ({error.strerror}); check its name.") from error
        except PasswordError as error:
            raise ImportFailed("the workbook has a password; save it without one and import it again.") from error
        except (BadZipFile, CalamineError, NotImplementedError, EOFError) as error:
            raise ImportFailed("the workbook can't be read; save it again as .xlsx, or as CSV UTF-8.") from error
        if merged := sheet.merged_cell_ranges:
            raise ImportFailed(f"cells {_name(*merged[0])} of the workbook are merged; give each row its own values.")
        headings = next((texts for _, texts in _filled(sheet)), [])
        check_headings(headings)
        return cls(sheet, tuple(headings))

    def rows(self) -> Iterator[tuple[int, list[str]] | BadRow]:
        """The rows after the headings."""
        found = _filled(self.sheet)
        next(found)
        yield from found


def _check_content(path: Path) -> None:
    """Unpack everything once, counting: what a file says about its own sizes needn't be true."""
    left = LARGEST_CONTENT
    with ZipFile(path) as archive:
        for entry in archive.infolist():
            is_sheet = entry.filename.startswith("xl/worksheets/") and entry.filename.endswith(".xml")
            entry.file_size = max(entry.file_size, left + 2 * _BLOCK)  # else reading would stop where the file says
            with archive.open(entry) as content:
                before = b""
                while block := content.read(_BLOCK):
                    if (left := left - len(block)) < 0:
                        raise ImportFailed(_too_large(LARGEST_CONTENT, "holds more than"))
                    if is_sheet:
                        before = _check_cells(before + block)


def _check_cells(text: bytes) -> bytes:
    """ImportFailed for cells that would be read as empty. What is left: the end, where a cell may be cut off."""
    if _UNSAVED.search(text):
        raise ImportFailed(
            "the workbook has formulas without their results; open it in Excel, save it, and import it again."
        )
    if _ERROR.search(text):
        raise ImportFailed("the workbook has cells with errors such as #DIV/0!; correct them and import it again.")
    return text[text.rfind(b"<c ") :][-_BLOCK:]


def _only_sheet(workbook: CalamineWorkbook) -> CalamineSheet:
    sheets = [workbook.get_sheet_by_index(number) for number in range(len(workbook.sheet_names))]
    filled = [sheet for sheet in sheets if sheet.start is not None]
    if not filled:
        raise ImportFailed("the workbook is empty; export the contacts again, with a line of headings.")
    if len(filled) > 1:
        raise ImportFailed(f"the workbook has {len(filled)} filled sheets; leave the one with the contacts.")
    return filled[0]


def _filled(sheet: CalamineSheet) -> Iterator[tuple[int, list[str]]]:
    for line, row in enumerate(sheet.iter_rows(), start=1):
        texts = [_text(value) for value in row]
        if any(texts):
            yield line, texts


def _text(value: object) -> str:
    """As a CSV file would have it; integers arrive as floats, and days as midnights."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case datetime() if value.time() == datetime.min.time():
            return value.date().isoformat()
        case _:
            return str(value).strip()


def _name(first: tuple[int, int], last: tuple[int, int]) -> str:
    return ":".join(f"{_letters(column)}{row + 1}" for row, column in (first, last))


def _letters(column: int) -> str:
    more, letter = divmod(column, 26)
    return (_letters(more - 1) if more else "") + chr(ord("A") + letter)


def _too_large(limit: int, how: str) -> str:
    return f"the workbook {how} {limit // 1_000_000} MB; save it as CSV UTF-8, which may have any size."
