"""The benchmarks' recipients are the same, whoever makes them."""

from benchmarks.people import make_people, person
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database


async def test_people_made_by_the_database_are_those_an_import_would_make(database: Database) -> None:
    await make_people(database, 1001)
    counts = await ContactStore(database).save([person(number) for number in range(1, 1002)])
    assert (counts.added, counts.unchanged) == (0, 1001)
