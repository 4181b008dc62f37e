"""Rows wait until it is the ordered time in their recipient's zone; nothing else changes for planning and claiming."""

from dataclasses import replace
from datetime import timedelta

from serienmail.domain.loading import Load
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.loading import RecipientStore
from serienmail.storage.mass_mails import MassMailStore
from tests.builders import KEY, NOON, a_contact, a_ledger, a_load, an_order, rows

ZONES = ["Asia/Kolkata", "", "America/New_York", "Mars/Olympus"]
HOURS = {"Asia/Kolkata": -5.5, "": 0, "America/New_York": 5, "Mars/Olympus": 0}


async def load(database: Database) -> Load:
    people = [a_contact(n, time_zone=zone) for n, zone in enumerate(ZONES, start=1)]
    await ContactStore(database).save(people)
    await MassMailStore(database).create(an_order(), NOON)
    wanted = a_load(local_due=NOON)
    await RecipientStore(database).load(wanted, NOON - timedelta(days=1))
    return wanted


async def test_each_row_becomes_due_at_its_own_time(database: Database) -> None:
    await load(database)
    ledger = a_ledger(database)
    await ledger.open_stage(KEY, 1)
    dues = sorted(NOON + timedelta(hours=hours) for hours in HOURS.values())
    before = await ledger.plan(KEY, 1, dues[0] - timedelta(seconds=1))
    assert (before.slices, before.wake_at) == ((), dues[0])
    assert before.reason == "4 wait for the time in their zone"
    planned = [len((await ledger.plan(KEY, 1, due)).slices) for due in dues]
    assert planned == [1, 3, 3, 4]


async def test_who_has_no_zone_gets_it_in_the_account_s(database: Database) -> None:
    wanted = replace(await load(database), revision=2, account="main")
    await RecipientStore(database, time_zones={"main": "America/New_York"}).load(wanted, NOON - timedelta(days=1))
    hours = [(row.next_try_at - NOON) / timedelta(hours=1) for row in await rows(database)]
    assert hours == [-5.5, 5, 5, 5]


async def test_an_edit_of_the_time_moves_every_row(database: Database) -> None:
    await load(database)
    later = NOON + timedelta(days=1)
    await RecipientStore(database).load(a_load(revision=2, local_due=later), NOON)
    ledger = a_ledger(database)
    await ledger.open_stage(KEY, 1)
    assert (await ledger.plan(KEY, 1, NOON)).wake_at == later - timedelta(hours=5.5)


async def test_it_is_known_how_many_live_in_which_zone(database: Database) -> None:
    wanted = await load(database)
    assert await RecipientStore(database).zones(wanted) == dict.fromkeys(ZONES, 1)
