"""The recipients of the benchmarks: each by a number, or a million of them in seconds, made by the database itself."""

from datetime import UTC, datetime

from sqlalchemy import bindparam, text

from serienmail.storage.contacts import ContactRow
from serienmail.storage.database import Database
from serienmail.storage.tables import Document, UtcDateTime

_MAKE = """
INSERT INTO contact (key, salutation, title, first_name, last_name, company, email, address_key, postcode, city,
                     language, owner, time_zone, opt_in, tracking, attributes, imported_at)
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
SELECT CAST(n AS TEXT),
       CASE n % 2 WHEN 0 THEN 'Frau' ELSE 'Herr' END, '', CASE n % 2 WHEN 0 THEN 'Käthe' ELSE 'Jörg' END,
       'Person' || n, '', 'person' || n || '@example.org', 'person' || n || '@example.org', '', 'Ort ' || (n % 1000),
       'de', '', '', true, false, :attributes, :now
FROM numbers
"""


def person(number: int) -> ContactRow:
    """The recipient of this number, from 1."""
    return ContactRow(
        key=str(number),
        salutation=("Frau", "Herr")[number % 2],
        first_name=("Käthe", "Jörg")[number % 2],
        last_name=f"Person{number}",
        email=f"person{number}@example.org",
        city=f"Ort {number % 1000}",
        language="de",
        opt_in=True,
    )


async def make_people(database: Database, count: int) -> None:
    """Everybody from 1 to ``count``, as if imported."""
    now = bindparam("now", datetime.now(UTC), UtcDateTime)
    make = text(_MAKE).bindparams(now, bindparam("count", count), bindparam("attributes", {}, Document))
    async with database.write() as connection:
        await connection.execute(make)
    async with database.write() as connection:
        await connection.execute(text("ANALYZE contact"))  # PostgreSQL does it by itself, but in its own time
