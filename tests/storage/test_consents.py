"""What people agreed to is on record, each answer once."""

from typing import Any

from sqlalchemy import select

from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.tables import consent
from serienmail.storage.tracking import Tracking
from tests.builders import NOON, a_contact, an_open_stage


async def answers(database: Database) -> list[Any]:
    """Whose, for what, which, from where; in the order they came."""
    columns = (consent.c.contact_key, consent.c.purpose, consent.c.given, consent.c.source)
    async with database.read() as connection:
        return [tuple(row) for row in await connection.execute(select(*columns).order_by(consent.c.id))]


async def test_an_import_records_answers_and_their_changes_once(database: Database) -> None:
    store = ContactStore(database)
    contacts = [a_contact(1, tracking=False), a_contact(2, opt_in=False, tracking=False)]
    for _twice in range(2):
        await store.save(contacts)
    assert await answers(database) == [("1", "mass_mail", True, "import")]
    await store.save([a_contact(1, opt_in=False)])
    assert await answers(database) == [
        ("1", "mass_mail", True, "import"), ("1", "mass_mail", False, "import"), ("1", "tracking", True, "import"),
    ]  # fmt: skip


async def test_an_import_without_the_columns_says_nothing_about_consent(database: Database) -> None:
    store = ContactStore(database)
    await store.save([a_contact(1)])
    before = await answers(database)
    await store.save([a_contact(1, opt_in=False, city="Ulm")], given={"key", "city"})
    assert await answers(database) == before


async def test_an_opt_out_through_a_link_names_the_mail_as_its_proof(database: Database) -> None:
    await an_open_stage(database, 1)
    await Tracking(database).unsubscribed(1, 0, 1, NOON)
    async with database.read() as connection:
        (row,) = (await connection.execute(select(consent).where(consent.c.source == "link"))).all()
    assert (row.contact_key, row.address_key, row.given) == ("1", "person1@example.org", False)
    assert (row.at, row.proof) == (NOON, "mass mail autumn, stage 0, recipient 1")
