"""The suppression list is honoured when recipients are loaded, claimed and looked at again, and the moment it grows."""

from sqlalchemy import select

from serienmail.domain.delivery import StageKey
from serienmail.domain.suppression import AddressHash, Suppression, SuppressionReason
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.loading import RecipientStore
from serienmail.storage.mass_mails import MassMailStore
from serienmail.storage.suppressions import SuppressionStore
from serienmail.storage.tables import delivery, suppression
from serienmail.storage.tracking import Tracking
from tests.builders import KEY, NOON, a_contact, a_job, a_ledger, a_load, an_open_stage, an_order, claim, states

HASH = AddressHash(b"k" * 32)
BY_HAND, ERASED = SuppressionReason.BY_HAND, SuppressionReason.ERASED


def an_entry(number: int, topic: str = "", reason: SuppressionReason = BY_HAND) -> Suppression:
    return Suppression(address_key=f"person{number}@example.org", topic=topic, reason=reason, since=NOON, source="test")


def erased(number: int) -> Suppression:
    return Suppression(address_key=HASH(f"person{number}@example.org"), reason=ERASED, since=NOON)


async def test_what_is_due_is_excluded_in_the_moment_of_the_entry(database: Database) -> None:
    await an_open_stage(database, 3)
    store = SuppressionStore(database, HASH)
    assert await store.add([an_entry(2), an_entry(1, reason=SuppressionReason.UNSUBSCRIBED)], NOON) == 2
    assert await states(database) == ["excluded:unsubscribed", "excluded:suppressed", "pending"]
    assert await store.add([an_entry(2), an_entry(2)], NOON) == 0
    assert await store.all() == [an_entry(1, reason=SuppressionReason.UNSUBSCRIBED), an_entry(2)]


async def test_an_entry_for_one_topic_stops_its_mass_mails_alone(database: Database) -> None:
    ledger = await an_open_stage(database, 2)
    wine = an_order(id="wine", topic="Wine")
    await MassMailStore(database).create(wine, NOON)
    of_wine = a_load(key=StageKey("wine", 0), topic="Wine")
    await RecipientStore(database).load(of_wine, NOON)
    store = SuppressionStore(database, HASH)
    await store.add([an_entry(1, "Wine")], NOON)
    assert await states(database) == ["pending", "pending"]
    assert await states(database, of_wine.key) == ["excluded:suppressed", "pending"]
    claimed = await claim(ledger, a_job(), NOON)
    assert claimed is not None and claimed.seq == 1
    assert (await RecipientStore(database).preview(of_wine)).counts.excluded == {"suppressed": 1}
    assert (await RecipientStore(database).preview(a_load())).counts.excluded == {}


async def test_a_topic_s_entry_is_seen_at_the_claim_and_when_somebody_sends_again(database: Database) -> None:
    await ContactStore(database).save([a_contact(1), a_contact(2)])
    await MassMailStore(database).create(an_order(topic="Wine"), NOON)
    await RecipientStore(database).load(a_load(), NOON)
    ledger = a_ledger(database)
    await ledger.open_stage(KEY, 1)
    both = [an_entry(1, "Wine"), an_entry(1), an_entry(2, "Beer")]
    async with database.write() as connection:  # as if each had come in the moment between
        await connection.execute(suppression.insert(), [entry_row(entry) for entry in both])
    claimed = [await claim(ledger, a_job(), NOON) for _ in range(2)]
    assert [mine and mine.seq for mine in claimed] == [2, None]
    assert await states(database) == ["excluded:suppressed", "handing_over"]
    assert await ledger.reopen(KEY, True) == 0
    store = SuppressionStore(database, HASH)
    assert await store.remove("person1@example.org", "") == 1
    assert await ledger.reopen(KEY, True) == 0
    assert await store.remove("person1@example.org") == 1
    assert await ledger.reopen(KEY, True) == 1


def entry_row(entry: Suppression) -> dict[str, object]:
    return {"address_key": entry.address_key, "topic": entry.topic, "reason": entry.reason, "since": NOON, "source": ""}


async def test_an_erased_person_who_comes_back_with_an_import_is_on_the_list(database: Database) -> None:
    await SuppressionStore(database, HASH).add([erased(2)], NOON)
    await ContactStore(database, HASH).save([a_contact(number) for number in (1, 2, 3)])
    loaded = await RecipientStore(database).preview(a_load())
    assert loaded.counts.excluded == {"suppressed": 1}
    await ContactStore(database, HASH).save([a_contact(3, email="Person2@example.org")])
    assert (await RecipientStore(database).preview(a_load())).counts.excluded == {"suppressed": 2}


async def test_a_hash_from_another_list_meets_the_contact_that_has_the_address(database: Database) -> None:
    await an_open_stage(database, 2)
    store = SuppressionStore(database, HASH)
    assert await store.add([erased(1)], NOON) == 1
    assert await states(database) == ["excluded:suppressed", "pending"]
    assert await store.remove("person1@example.org") == 2
    assert await store.all() == []


async def test_who_subscribes_again_stays_suppressed_for_other_reasons(database: Database) -> None:
    await an_open_stage(database, 1)
    tracking = Tracking(database)
    await SuppressionStore(database, HASH).add([an_entry(1, "Wine")], NOON)
    assert await tracking.unsubscribed(1, 0, 1, NOON)
    assert await tracking.subscribed(1, 0, 1, NOON)
    async with database.read() as connection:
        assert [tuple(row) for row in await connection.execute(select(suppression.c.topic, suppression.c.reason))] == [
            ("Wine", "by_hand")
        ]
    assert not await tracking.subscribed(1, 0, 9, NOON)


async def test_what_is_due_to_an_address_is_found_without_reading_all_mails(database: Database) -> None:
    if not database.is_sqlite:  # it chooses by how many there are
        return
    theirs = select(delivery).where(delivery.c.address_key == "person1@example.org", delivery.c.state == "pending")
    async with database.read() as connection:
        text = str(theirs.compile(connection.engine, compile_kwargs={"literal_binds": True}))
        plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")).all()
    assert "SEARCH delivery USING INDEX delivery_address (address_key=?)" in plan[0]
