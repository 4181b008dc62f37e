"""A way to the database for each purpose: rows given by their keys are looked up one by one."""

from sqlalchemy import text

from serienmail.storage.database import Database


async def test_only_rows_given_by_their_keys_are_looked_up_one_by_one(database: Database) -> None:
    if database.is_sqlite:  # it does so by itself
        return
    for by_key, allowed in ((True, "off"), (False, "on"), (True, "off")):
        async with database.write(by_key=by_key) as connection:
            for plan in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):
                assert (await connection.execute(text(f"SHOW enable_{plan}"))).scalar_one() == allowed
