"""Workbooks are read with the values people see, and refused where values would be lost."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from serienmail.domain.contact import FieldType
from serienmail.domain.errors import ImportFailed
from serienmail.storage.contact_file import ImportReport, import_contacts
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.workbook import LARGEST_CONTENT, LARGEST_FILE, Workbook

HEADINGS = ["Nr", "E-Mail", "Ort", "Seit", "Umsatz", "Newsletter"]


@pytest.fixture
def book(tmp_path: Path) -> "Callable[[Callable[[Worksheet], object]], Path]":
    """Writes a workbook whose headings stand in the third row, and whose second sheet is empty."""

    def write(fill: Callable[[Worksheet], object]) -> Path:
        path = tmp_path / "contacts.xlsx"
        with xlsxwriter.Workbook(path, {"default_date_format": "dd.mm.yyyy"}) as workbook:
            sheet = workbook.add_worksheet()
            sheet.write_row("B3", HEADINGS)
            fill(sheet)
            workbook.add_worksheet()
        return path

    return write


Book = Callable[[Callable[[Worksheet], object]], Path]


async def test_numbers_dates_and_results_of_formulas_are_what_people_see(database: Database, book: Book) -> None:
    def fill(sheet: Worksheet) -> None:
        sheet.write_row("B4", [4711, "ida@example.org", "Ulm", date(2026, 3, 2), 1.234, True])
        sheet.write_row("B6", [4712, " jan@example.org ", "", None, 2000, False])
        sheet.write_formula("G6", '="x"', None, False)
        sheet.write_formula("F6", "=1000*2", None, 2000)

    store = ContactStore(database)
    assert await import_contacts(store, book(fill)) == ImportReport(2, 2, 0, 0, ())
    fields = await store.fields()
    assert (fields["seit"], fields["umsatz"]) == (FieldType.DATE, FieldType.NUMBER)
    ida, jan = await store.sample(2)
    assert (ida["key"], ida["seit"], ida["umsatz"], ida["opt_in"]) == ("4711", "2026-03-02", 1.234, True)
    assert (jan["key"], jan["email"], jan["umsatz"], jan["opt_in"]) == ("4712", "jan@example.org", 2000, False)


def test_a_row_is_called_by_its_line_in_the_sheet(book: Book) -> None:
    found = Workbook.open(book(lambda sheet: sheet.write_row("B7", ["1", "a", "b", "c", "d", "e"])))
    assert found.headings == tuple(HEADINGS)
    assert list(found.rows()) == [(7, ["1", "a", "b", "c", "d", "e"])]


@pytest.mark.parametrize(
    ("fill", "gist"),
    [
        (lambda sheet: sheet.merge_range("D4:D5", "Ulm"), "cells D4:D5 of the workbook are merged"),
        (lambda sheet: sheet.write_formula("B4", "=A1", None, ""), "formulas without their results"),
        (lambda sheet: sheet.write_formula("B4", "=1/0", None, "#DIV/0!"), "cells with errors"),
        (lambda sheet: sheet.write("C3", "Nr"), "the heading 'Nr' 2 times"),
    ],
)
async def test_what_would_be_lost_is_refused_in_one_sentence(
    database: Database, book: Book, fill: Callable[[Worksheet], object], gist: str
) -> None:
    store = ContactStore(database)
    with pytest.raises(ImportFailed, match=gist):
        await import_contacts(store, book(fill))
    assert await store.count() == 0


def test_several_filled_sheets_are_one_too_many(tmp_path: Path) -> None:
    path = tmp_path / "contacts.xlsx"
    with xlsxwriter.Workbook(path) as workbook:
        for _ in range(2):
            workbook.add_worksheet().write_row("A1", HEADINGS)
    with pytest.raises(ImportFailed, match="2 filled sheets"):
        Workbook.open(path)


def test_other_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "contacts.xlsx"
    for content in (b"", b"Nr;E-Mail\n1;a@example.org\n"):
        path.write_bytes(content)
        with pytest.raises(ImportFailed, match=r"save it again as \.xlsx"):
            Workbook.open(path)
    with pytest.raises(ImportFailed, match="can't be opened"):
        Workbook.open(tmp_path / "missing.xlsx")


def test_a_workbook_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "contacts.xlsx"
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE * 4)
    with pytest.raises(ImportFailed, match="larger than 50 MB; save it as CSV"):
        Workbook.open(path)


@pytest.mark.parametrize("honest", [True, False])
def test_a_small_file_that_holds_gigabytes_is_refused_whatever_it_says_about_its_size(
    tmp_path: Path, honest: bool
) -> None:
    path, block = tmp_path / "contacts.xlsx", bytes(10_000_000)
    with (
        ZipFile(path, "w", ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("xl/media/picture.png", "w", force_zip64=True) as content,
    ):
        for _ in range(LARGEST_CONTENT // len(block) + 1):
            content.write(block)
    if not honest:
        size = (LARGEST_CONTENT + len(block)).to_bytes(4, "little")
        path.write_bytes(path.read_bytes().replace(size, (1000).to_bytes(4, "little")))
    with pytest.raises(ImportFailed, match="holds more than 400 MB"):
        Workbook.open(path)
