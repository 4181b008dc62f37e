"""Updates in one step of the driver: all of them or none, and on a new connection after a lost one."""

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import bindparam, null, update

from serienmail.domain.errors import DatabaseAway
from serienmail.storage.database import Database
from serienmail.storage.tables import delivery, mass_mail, stage
from tests.builders import an_open_stage, states

MASS_MAILS = update(mass_mail).values(name=bindparam("name", type_=mass_mail.c.name.type)).returning(mass_mail.c.name)
DELIVERIES = update(delivery).values(state="sent", reply=bindparam("reply")).returning(delivery.c.address_key)
IMPOSSIBLE = update(stage).values(number=null()).returning(stage.c.mass_mail_id)
GIVEN = {"name": "Autumn", "reply": "250 ok"}


async def test_what_the_updates_return_is_committed(database: Database) -> None:
    await an_open_stage(database, 2)
    returned = await database.write_in_one_step((MASS_MAILS, DELIVERIES), GIVEN)
    assert returned == {"Autumn", "person1@example.org", "person2@example.org"}
    assert await states(database) == ["sent", "sent"]


async def test_if_one_update_fails_none_is_kept_and_no_value_is_shown(database: Database) -> None:
    await an_open_stage(database, 2)
    with pytest.raises(DatabaseAway, match="didn't commit") as caught:
        await database.write_in_one_step((MASS_MAILS, DELIVERIES, IMPOSSIBLE), GIVEN)
    assert "example.org" not in str(caught.value)
    assert await states(database) == ["pending", "pending"]


async def test_after_a_failure_the_next_step_goes_on(database: Database) -> None:
    await an_open_stage(database, 1)
    with pytest.raises(DatabaseAway):
        await database.write_in_one_step((MASS_MAILS,), {})
    assert await database.write_in_one_step((DELIVERIES,), GIVEN) == {"person1@example.org"}


async def test_a_step_waits_for_whoever_is_writing(database: Database) -> None:
    await an_open_stage(database, 1)
    other = Database(database.url)
    async with other.write() as connection:
        await connection.execute(update(delivery).values(reply="451 later"))
        step = asyncio.create_task(database.write_in_one_step((DELIVERIES,), GIVEN))
        done, _ = await asyncio.wait([step], timeout=0.1)
        assert not done
    assert await step == {"person1@example.org"}
    await other.close()


async def test_a_connection_that_was_lost_is_opened_anew(database: Database) -> None:
    await an_open_stage(database, 1)
    await database.write_in_one_step((MASS_MAILS,), GIVEN)
    if not database.is_sqlite:  # a file has no server that could hang up
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        async with database.write() as connection:
            await connection.exec_driver_sql(f"{others} AND datname = current_database()")
        with suppress(DatabaseAway):  # it may have noticed already
            await database.write_in_one_step((DELIVERIES,), GIVEN)
    assert await database.write_in_one_step((DELIVERIES,), GIVEN) == {"person1@example.org"}
