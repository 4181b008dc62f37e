"""Contact files are read as CRM systems and Excel write them, and what can't be read is said."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from serienmail.domain.contact import FieldType
from serienmail.domain.criteria import Criterion, where
from serienmail.domain.errors import ImportFailed
from serienmail.domain.filters import Vocabulary
from serienmail.storage.contact_file import ImportReport, import_contacts
from serienmail.storage.contacts import ContactStore
from serienmail.storage.criteria import condition
from serienmail.storage.database import Database
from serienmail.storage.records import BadRow
from serienmail.storage.tables import contact, contact_address

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def store(database: Database) -> ContactStore:
    return ContactStore(database)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "contacts.csv"


async def _sample(store: ContactStore, file: Path, content: str, mapping: str = "") -> list[dict[str, Any]]:
    await _import(store, file, content, mapping)
    return [dict(fields) for fields in await store.sample(10)]


async def _import(store: ContactStore, file: Path, content: str, mapping: str = "") -> ImportReport:
    _write(file, content.encode())
    toml = file.with_suffix(".toml")
    _write(toml, mapping.encode())
    return await import_contacts(store, file, toml if mapping else None)


def _write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


async def test_the_example_is_imported_whole_and_a_second_time_changes_nothing(store: ContactStore) -> None:
    seen: list[int] = []
    report = await import_contacts(store, EXAMPLES / "kontakte.csv", None, seen.append)
    assert report == ImportReport(rows=1250, added=1250, changed=0, unchanged=0, bad=())
    assert seen == [1250]
    again = await import_contacts(store, EXAMPLES / "kontakte.csv")
    assert again == ImportReport(rows=1250, added=0, changed=0, unchanged=1250, bad=())


async def test_the_example_has_the_contacts_that_were_counted_by_hand(store: ContactStore, database: Database) -> None:
    await import_contacts(store, EXAMPLES / "kontakte.csv", EXAMPLES / "kontakte.toml")
    fields = Vocabulary(await store.fields())
    expected: list[tuple[Criterion, int]] = [
        (where("salutation").eq("Divers"), 33),
        (where("title").starts_with("Prof"), 52),
        (where("opt_in").eq(True), 1075),
        (where("tracking").eq(True), 636),
        (where("language").eq("en"), 281),
        (where("email").empty(), 7),
        (where("industry").eq("Druck; Verlag"), 210),
        (where("revenue").empty(), 36),
        (where("revenue").ge(100_000), 812),
        (where("customer_since").empty(), 27),
        (where("customer_since").lt(date(2020, 1, 1)), 649),
    ]
    counted = [(criterion, await store.count(condition(criterion, fields))) for criterion, _ in expected]
    assert counted == expected
    async with database.read() as connection:
        keys = (await connection.execute(select(contact.c.address_key).where(contact.c.email != ""))).scalars().all()
    assert keys.count(None) == 39


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
async def test_encoding_and_delimiter_are_found_out(
    store: ContactStore, file: Path, encoding: str, delimiter: str
) -> None:
    lines = [("Kontakt-Nr", "Nachname", "Straße"), ("1", "Müller", '"Königsallee 1; Hof, „links“\r\n2. Stock"')]
    _write(file, "\r\n".join(delimiter.join(line) for line in lines).encode(encoding))
    assert (await import_contacts(store, file)).added == 1
    [row] = await store.sample(1)
    assert row["last_name"] == "Müller"
    assert row["strasse"] == "Königsallee 1; Hof, „links“\r\n2. Stock"


@pytest.mark.parametrize(
    ("texts", "kind", "value"),
    [
        (["21.486,81", "1.234"], FieldType.NUMBER, 21486.81),
        (["21,486.81", "7"], FieldType.NUMBER, 21486.81),
        (["1.234", "5.678"], FieldType.NUMBER, 1234),
        (["1.234", "5.6"], FieldType.NUMBER, 1.234),
        (["-7", "0"], FieldType.NUMBER, -7),
        (["00182", "12"], FieldType.TEXT, "00182"),
        (["1234567890123456"], FieldType.TEXT, "1234567890123456"),
        (["12", "k.A."], FieldType.TEXT, "12"),
        (["04.02.2020", "2021-12-31"], FieldType.DATE, "2020-02-04"),
        (["31.02.2020"], FieldType.TEXT, "31.02.2020"),
        (["ja", "Nein"], FieldType.BOOLEAN, True),
        (["x", ""], FieldType.BOOLEAN, True),
        (["1", "0"], FieldType.NUMBER, 1),
    ],
)
async def test_the_type_of_a_column_follows_from_its_values(
    store: ContactStore, file: Path, texts: list[str], kind: FieldType, value: object
) -> None:
    rows = "".join(f'{number};"{text}"\n' for number, text in enumerate(texts))
    first, *_ = await _sample(store, file, f"Nr;Eigenes Feld\n{rows}")
    assert first["eigenes_feld"] == value
    assert (await store.fields())["eigenes_feld"] is kind


async def test_an_ambiguous_number_in_a_comma_file_is_english(store: ContactStore, file: Path) -> None:
    [row] = await _sample(store, file, "id,factor\n1,1.234\n")
    assert row["factor"] == 1.234


async def test_an_empty_consent_is_a_no_and_an_empty_attribute_is_none(store: ContactStore, file: Path) -> None:
    content = "Nr;Serienmail zusenden;Tracking erlaubt;Umsatz\n1;;;\n2;ja;x;5\n"
    first, second = await _sample(store, file, content)
    assert (first["opt_in"], first["tracking"], first["umsatz"]) == (False, False, None)
    assert (second["opt_in"], second["tracking"], second["umsatz"]) == (True, True, 5)


async def test_a_column_that_nobody_filled_is_left_out_until_its_type_can_be_told(
    store: ContactStore, file: Path
) -> None:
    await _import(store, file, "Nr;Umsatz\n1;\n")
    assert "umsatz" not in await store.fields()
    await _import(store, file, "Nr;Umsatz\n1;7,5\n")
    assert (await store.fields())["umsatz"] is FieldType.NUMBER


async def test_a_known_attribute_keeps_its_type_and_other_values_are_bad_rows(store: ContactStore, file: Path) -> None:
    await _import(store, file, "Nr;Umsatz\n1;7,5\n")
    report = await _import(store, file, "Nr;Umsatz\n1;viel\n2;wenig\n3;8,5\n")
    assert [bad.line for bad in report.bad] == [2, 3]
    assert (report.rows, report.added) == (3, 1)


async def test_headings_that_make_the_same_name_get_different_ones(store: ContactStore, file: Path) -> None:
    [row] = await _sample(store, file, "Nr;E-Mail;Mail;Umsatz €;Umsatz $;2024\n1;a@example.org;b;3;4;5\n")
    assert row["email"] == "a@example.org"
    assert (row["mail"], row["umsatz"], row["umsatz_2"], row["field_2024"]) == ("b", 3, 4, 5)


async def test_bad_rows_are_reported_with_line_and_column_and_the_others_imported(
    store: ContactStore, file: Path
) -> None:
    content = (
        "Nr;E-Mail;Serienmail zusenden;Seit\n"
        '1;kaputt@@example.org;ja;"01.02.2020"\n'
        "2;nur;drei\n"
        "\n"
        ';"ohne\nSchlüssel";ja;\n'
        "1;doppelt@example.org;ja;\n"
        "3;x@example.org;vielleicht;\n"
        "4;x@example.org;ja;gestern\n"
        ";;;\n"
        "5;;;\n"
    )
    report = await _import(store, file, content, '[attributes]\nsince = {column = "Seit", type = "date"}')
    assert report == ImportReport(
        rows=7,
        added=2,
        changed=0,
        unchanged=0,
        bad=(
            BadRow(3, "3 fields, expected 4 as in the headings"),
            BadRow(5, "no key, expected one in each row"),
            BadRow(7, "the key occurs a second time, expected each once"),
            BadRow(8, "column 'Serienmail zusenden': expected ja or nein, yes or no"),
            BadRow(9, "column 'Seit': expected a date such as 31.12.2026 or 2026-12-31"),
        ),
    )


@pytest.mark.parametrize(
    ("content", "imported", "bad"),
    [
        ('Nr;Name\n1;"A;B\n2;"C\n3;D\n', ["3"], 2),  # the quote ends where row 2's begins: neither can be trusted
        ('Nr;Name\n1;A\n2;"B\n3;C\n', ["1"], 3),  # it never ends
        ('Nr;Name\n1;"' + "x" * 200_000 + "\n", [], 2),
        ('Nr;Name\n1;A "B" C\n', ["1"], None),  # a quote inside a field is a character
    ],
)
async def test_a_quote_that_is_never_closed_swallows_no_row_silently(
    store: ContactStore, file: Path, content: str, imported: list[str], bad: int | None
) -> None:
    report = await _import(store, file, content)
    assert [row["key"] for row in await store.sample(9)] == imported
    assert [row.line for row in report.bad] == ([bad] if bad else [])
    assert all("quote" in row.reason for row in report.bad)


async def test_a_file_with_fewer_columns_leaves_the_others_as_they_were(store: ContactStore, file: Path) -> None:
    await _import(store, file, "Nr;Name;E-Mail;Branche\n1;Weiß;weiss@example.org;Handel\n")
    report = await _import(store, file, "Nr;Serienmail zusenden\n1;ja\n")
    assert report.changed == 1
    [row] = await store.sample(9)
    assert (row["last_name"], row["email"], row["branche"]) == ("Weiß", "weiss@example.org", "Handel")
    assert row["opt_in"] is True


async def test_a_mapping_goes_before_what_headings_suggest(store: ContactStore, file: Path) -> None:
    mapping = """
        [fields]
        key = "Matchcode"
        email = "Mail privat"
        [attributes]
        number = {column = "Nr", type = "text"}
        office_mail = "E-Mail"
    """
    [row] = await _sample(store, file, "Nr;Matchcode;E-Mail;Mail privat\n7;IDA;o@example.org;p@example.org\n", mapping)
    assert (row["key"], row["email"]) == ("IDA", "p@example.org")
    assert (row["number"], row["office_mail"]) == ("7", "o@example.org")


@pytest.mark.parametrize(
    ("mapping", "advice"),
    [
        ('[fields]\nkey = "Kontakt-Nummer"', "the nearest is: Kontakt-Nr"),
        ('[fields]\nfirstname = "Vorname"', "the nearest is: first_name"),
        ('[attributes]\nFirst-Name = "Vorname"', "small letters"),
        ('[attributes]\nemail = "Vorname"', "no field's name"),
        ('[attributes]\nnick = {column = "Vorname", type = "word"}', "text|number|date|boolean"),
        ('[fields]\nfirst_name = "Vorname"\n[attributes]\nnick = "Vorname"', "2 times"),
        ('[columns]\nkey = "Vorname"', "have .fields. and .attributes. only"),
        ("fields = 3", "must be tables"),
        ("[fields", "no TOML"),
    ],
)
async def test_a_wrong_mapping_is_refused_with_what_to_do(
    store: ContactStore, file: Path, mapping: str, advice: str
) -> None:
    with pytest.raises(ImportFailed, match=advice):
        await _import(store, file, "Kontakt-Nr;Vorname\n1;Ida\n", mapping)


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (b"", "empty"),
        (b" \r\n\r\n", "empty"),
        (b"PK\x03\x04\0\0binary", "workbook"),
        (b"Nr;Name\r\n1;M\x81ller\r\n", "CSV UTF-8"),  # cp850: guessing would misspell names
        ("Nr;Name\n1;Müller\n2;M".encode() + b"\xfcller\n", "broken UTF-8"),
        (b"1;Ida;ida@example.org\n", "names the columns"),
        (b"Nr;Name;Name\n1;a;b\n", "'Name' 2 times"),
        (b"Nr;Name;\n1;a;b\n", "column 3"),
        (b"Vorname;Name\nIda;Baum\n", 'key = "heading"'),
    ],
)
async def test_a_file_that_can_not_be_read_is_refused_with_what_to_do(
    store: ContactStore, file: Path, content: bytes, advice: str
) -> None:
    _write(file, content)
    with pytest.raises(ImportFailed, match=advice):
        await import_contacts(store, file)
    assert await store.count() == 0


async def test_a_missing_file_is_refused(store: ContactStore, file: Path) -> None:
    with pytest.raises(ImportFailed, match="check its name"):
        await import_contacts(store, file)
    _write(file, b"Nr\n1\n")
    with pytest.raises(ImportFailed, match="mapping file can't be opened"):
        await import_contacts(store, file, file.with_suffix(".toml"))


async def test_of_several_columns_of_addresses_the_first_in_the_mapping_is_preferred(
    store: ContactStore, file: Path, database: Database
) -> None:
    rows = "1;ida@work.example;ida@home.example\n2;;jan@home.example\n3;nobody;\n4;a@work.example;a@home.example\n"
    mapping = '[fields]\nkey = "Nr"\nemail = ["Privat", "Arbeit"]\n'
    sample = await _sample(store, file, f"Nr;Arbeit;Privat\n{rows}", mapping)
    used = ["ida@home.example", "jan@home.example", "nobody", "a@home.example"]
    assert [fields["email"] for fields in sample] == used
    turned = '[fields]\nkey = "Nr"\nemail = ["Arbeit", "Privat"]\n'
    assert await _import(store, file, f"Nr;Arbeit;Privat\n{rows}", turned) == ImportReport(4, 0, 2, 2, ())
    assert await _import(store, file, f"Nr;Arbeit;Privat\n{rows}", turned) == ImportReport(4, 0, 0, 4, ())
    async with database.read() as connection:
        others = (await connection.execute(select(contact_address.c.address_key))).scalars()
        assert sorted(others) == ["a@home.example", "ida@home.example"]


async def test_keys_that_no_index_takes_are_bad_rows_and_long_headings_are_cut(store: ContactStore, file: Path) -> None:
    heading = "Sehr lange Überschrift " * 200
    report = await _import(store, file, f"Nr;E-Mail;{heading}\n{'k' * 5_000};a@b.example;x\nk\x1b[2J;;\n3;;ja\n")
    assert (report.added, [row.line for row in report.bad]) == (1, [2, 3])
    assert "200 characters at most" in report.bad[0].reason
    assert max(map(len, await store.fields())) <= 60


async def test_a_text_that_is_too_long_is_a_bad_row_with_the_limit(store: ContactStore, file: Path) -> None:
    report = await _import(store, file, f"Nr;E-Mail;Notiz\n1;;{'x' * 200_000}\n2;;kurz\n")
    assert (report.added, "131,072 characters" in report.bad[0].reason) == (1, True)
