"""vCards are read one by one; what can't be used is said by its line."""

from pathlib import Path

import pytest

from serienmail.domain.errors import ImportFailed
from serienmail.storage.contact_file import import_contacts
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.records import BadRow

CARDS = """BEGIN:VCARD
VERSION:3.0
UID:4711
N:Weiß;Ida;;Dr.;
FN:Dr. Ida Weiß
ORG:Siering AG;Vertrieb
EMAIL;TYPE=work:ida@example.org
EMAIL;TYPE=home:ida@example.net
ADR;TYPE=work:;;Hauptstr. 1;Ulm;;89073;Deutschland
TEL:+49 731 1
NOTE:Kennt uns von
  der Messe
END:VCARD

begin:vcard
VERSION:4.0
FN:Jan Kurz
EMAIL:jan@example.org
END:VCARD
BEGIN:VCARD
VERSION:3.0
FN:Ohne Adresse
END:VCARD
BEGIN:VCARD
VERSION:3.0
UID:4712
N:Still;Ada;;;
FN:Ada Still
END:VCARD
BEGIN:VCARD
VERSION:3.0
UID:4713
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "contacts.vcf"
    path.write_text(CARDS, "utf-8")
    return path


@pytest.fixture
def another(tmp_path: Path) -> Path:
    path = tmp_path / "another.vcf"
    path.write_text("Nr;E-Mail\n")
    return path


async def test_each_card_is_a_contact_and_nothing_is_lost_without_a_word(database: Database, file: Path) -> None:
    store = ContactStore(database)
    report = await import_contacts(store, file)
    assert (report.rows, report.added) == (5, 3)
    assert report.bad == (
        BadRow(20, "neither UID nor mail address, expected one of them in each card"),
        BadRow(30, "not readable, expected a vCard"),
    )
    ida, ada, jan = await store.sample(5)  # by their keys
    assert (ida["key"], ida["title"], ida["first_name"], ida["last_name"]) == ("4711", "Dr.", "Ida", "Weiß")
    assert (ida["company"], ida["email"], ida["postcode"], ida["city"]) == (
        "Siering AG Vertrieb", "ida@example.org", "89073", "Ulm",
    )  # fmt: skip
    assert (ida["phone"], ida["note"]) == ("+49 731 1", "Kennt uns von der Messe")
    assert (jan["key"], jan["last_name"]) == ("jan@example.org", "Jan Kurz")
    assert (ada["key"], ada["email"]) == ("4712", "")  # excluded later, as somebody without address


async def test_importing_the_cards_again_changes_nothing(database: Database, file: Path) -> None:
    store = ContactStore(database)
    await import_contacts(store, file)
    again = await import_contacts(store, file)
    assert (again.added, again.changed, again.unchanged) == (0, 0, 3)


async def test_a_file_without_cards_is_refused(database: Database, file: Path, another: Path) -> None:
    with pytest.raises(ImportFailed, match="no vCard"):
        await import_contacts(ContactStore(database), another)
    with pytest.raises(ImportFailed, match="can't be opened"):
        await import_contacts(ContactStore(database), file.with_name("missing.vcf"))
