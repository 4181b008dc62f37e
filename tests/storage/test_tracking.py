"""An opt-out reaches every mail that is still due."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from serienmail.storage.database import Database
from serienmail.storage.tables import delivery, event, mass_mail, suppression
from serienmail.storage.tracking import MOST_EVENTS, Recipient, Tracking

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANNA = "anna@example.org"


@pytest.fixture
async def tracking(database: Database) -> Tracking:
    """Two mass mails, numbered 1 and 2, with no mail yet."""
    async with database.write() as connection:
        for number in (1, 2):
            await connection.execute(insert(mass_mail).values(
                id=f"m{number}", number=number, name="Herbst", created_by="anna", status={}, version=0, state="sending",
                created_at=NOON))  # fmt: skip
    return Tracking(database)


async def a_mail(database: Database, mass_mail_id: str, seq: int, state: str, **columns: Any) -> None:
    """One row of the ledger, to Anna unless told otherwise."""
    row = {
        "mass_mail_id": mass_mail_id, "stage": 0, "seq": seq, "contact_id": seq, "address": "Anna@example.org",
        "address_key": ANNA, "state": state, "reason": "", "epoch": 1, "template": "", "tracked": False,
        "doubted": False, "attempts": 0, "reply": "", "message_id": "",
    }  # fmt: skip
    async with database.write() as connection:
        await connection.execute(insert(delivery).values(row | columns))


async def rows(database: Database, table: Any) -> list[Any]:
    """A table's rows in the order of its key."""
    async with database.read() as connection:
        return list((await connection.execute(select(table).order_by(*table.primary_key))).all())


async def states(database: Database) -> list[tuple[str, str]]:
    """State and reason of every mail."""
    return [(row.state, row.reason) for row in await rows(database, delivery)]


async def test_changes_of_mind_through_one_mail_are_recorded_fifty_times_at_most(
    database: Database, tracking: Tracking
) -> None:
    await a_mail(database, "m1", 1, "sent")
    for _ in range(MOST_EVENTS + 2):
        await tracking.unsubscribed(1, 0, 1, NOON)
        await tracking.subscribed(1, 0, 1, NOON)
    kinds = [each.kind for each in await rows(database, event)]
    assert {kind: kinds.count(kind) for kind in kinds} == {"unsubscribed": MOST_EVENTS, "subscribed": MOST_EVENTS}


async def test_an_opt_out_excludes_what_is_due_in_every_mass_mail(database: Database, tracking: Tracking) -> None:
    await a_mail(database, "m1", 1, "sent")
    await a_mail(database, "m1", 2, "pending", address="b@example.org", address_key="b@example.org")
    await a_mail(database, "m2", 1, "pending")
    await a_mail(database, "m2", 2, "deferred", stage=1)
    assert await tracking.unsubscribed(1, 0, 1, NOON)
    assert await states(database) == [("sent", ""), ("pending", "")] + [("excluded", "unsubscribed")] * 2
    (entry,) = await rows(database, suppression)
    assert (entry.address_key, entry.reason, entry.since, entry.source) == (ANNA, "unsubscribed", NOON, "m1")


@pytest.mark.parametrize("state", ["handing_over", "sent", "unknown", "rejected"])
async def test_an_opt_out_leaves_mails_that_are_no_longer_due(
    database: Database, tracking: Tracking, state: str
) -> None:
    await a_mail(database, "m1", 1, state)
    assert await tracking.unsubscribed(1, 0, 1, NOON)
    assert await states(database) == [(state, "")]


async def test_an_opt_out_calls_what_was_to_be_sent_again_in_doubt_and_not_excluded(
    database: Database, tracking: Tracking
) -> None:
    await a_mail(database, "m1", 1, "sent")
    await a_mail(database, "m2", 1, "deferred", doubted=True, resent=True)
    assert await tracking.unsubscribed(1, 0, 1, NOON)
    assert await states(database) == [("sent", ""), ("unknown", "unsubscribed")]


@pytest.mark.parametrize("state", ["unknown", "pending", "deferred"])
async def test_an_opt_out_shows_that_a_mail_in_doubt_was_accepted(
    database: Database, tracking: Tracking, state: str
) -> None:
    await a_mail(database, "m1", 1, state, tracked=True, doubted=True)
    for _ in range(2):
        await tracking.unsubscribed(1, 0, 1, NOON)
    assert await states(database) == [("sent", "")]
    (mail,) = await rows(database, delivery)
    assert (mail.doubted, mail.finished_at, mail.unsubscribed_at) == (True, NOON, NOON)


async def test_opting_out_twice_changes_nothing_more(database: Database, tracking: Tracking) -> None:
    await a_mail(database, "m1", 1, "sent")
    assert await tracking.unsubscribed(1, 0, 1, NOON)
    assert await tracking.unsubscribed(1, 0, 1, NOON + timedelta(days=1))
    (mail,) = await rows(database, delivery)
    assert mail.unsubscribed_at == NOON
    assert [e.kind for e in await rows(database, event)] == ["unsubscribed"]
    assert [entry.since for entry in await rows(database, suppression)] == [NOON]


async def test_an_address_that_bounced_keeps_that_reason_when_it_opts_out(
    database: Database, tracking: Tracking
) -> None:
    await a_mail(database, "m1", 1, "sent")
    async with database.write() as connection:
        row = {"address_key": ANNA, "reason": "bounced", "since": NOON, "source": ""}
        await connection.execute(insert(suppression).values(row))
    assert await tracking.unsubscribed(1, 0, 1, NOON)
    assert [entry.reason for entry in await rows(database, suppression)] == ["bounced"]


async def test_opt_outs_of_one_address_through_many_mails_do_not_stop_each_other(
    database: Database, tracking: Tracking
) -> None:
    for mass_mail_id in ("m1", "m2"):
        for stage in range(4):
            await a_mail(database, mass_mail_id, 1, "pending", stage=stage)
    every = [tracking.unsubscribed(number, stage, 1, NOON) for number in (2, 1) for stage in (3, 0, 2, 1)]
    assert all(await asyncio.gather(*every))
    assert await states(database) == [("excluded", "unsubscribed")] * 8


async def test_a_mail_that_does_not_exist_is_told_and_nothing_is_written(
    database: Database, tracking: Tracking
) -> None:
    await a_mail(database, "m1", 1, "excluded", address="", address_key=None)
    for seq in (1, 2):
        assert not await tracking.unsubscribed(1, 0, seq, NOON)
        assert await tracking.recipient_of(1, 0, seq) is None
    assert await rows(database, suppression) == []


async def test_the_recipient_of_a_mail_is_its_address_as_the_crm_wrote_it(
    database: Database, tracking: Tracking
) -> None:
    await a_mail(database, "m1", 1, "sent")
    assert await tracking.recipient_of(1, 0, 1) == Recipient("Anna@example.org", topic="")
