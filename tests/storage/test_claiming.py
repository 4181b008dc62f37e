"""A claim is one caller's alone, and consent and address are those of its moment."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert

from serienmail.domain.delivery import Answer, Claimed, Outcome, SliceRange, Verdict, given_back, outcome
from serienmail.storage.claiming import Claims
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.deliveries import DeliveryList
from serienmail.storage.ledger import Ledger
from serienmail.storage.outcomes import Outcomes
from serienmail.storage.tables import contact, suppression
from serienmail.storage.tracking import Tracking
from tests.builders import KEY, NOON, a_contact, a_job, a_ledger, an_open_stage, claim, rows, states
from tests.fakes import Faulty


async def test_a_claim_brings_all_that_the_mail_needs(database: Database) -> None:
    ledger = await an_open_stage(database, [a_contact(1, first_name="Ida", email="Ida@Example.org")])
    claimed = await claim(ledger, a_job(), NOON)
    assert claimed is not None
    assert (claimed.key, claimed.seq, claimed.number, claimed.attempts) == (KEY, 1, 1, 1)
    assert (claimed.address, claimed.contact["first_name"]) == ("Ida@Example.org", "Ida")
    assert (claimed.tracked, claimed.message_id, claimed.dated_at) == (True, "<1.0.1@main>", NOON)
    assert claimed.hand_over_by is not None
    assert claimed.hand_over_by > time.clock_gettime(time.CLOCK_MONOTONIC)
    (row,) = await rows(database)
    assert (row.state, row.token, row.handed_over_at, row.epoch) == ("handing_over", claimed.token, NOON, 1)
    assert (row.template, row.message_id, row.attempts) == ("autumn@1", "<1.0.1@main>", 1)


async def test_of_many_callers_each_gets_a_row_of_its_own(database: Database) -> None:
    ledger = await an_open_stage(database, 30)
    claims = await asyncio.gather(*(claim(ledger, a_job(), NOON) for _ in range(50)))
    assert sorted(claimed.seq for claimed in claims if claimed) == list(range(1, 31))
    assert len({claimed.token for claimed in claims if claimed}) == 30


async def test_two_workers_on_one_database_never_claim_the_same_row(database: Database) -> None:
    first = await an_open_stage(database, 40)
    second = a_ledger(database)
    claims = await asyncio.gather(*(claim(worker, a_job(), NOON) for _ in range(25) for worker in (first, second)))
    seqs = [claimed.seq for claimed in claims if claimed]
    assert len(seqs) == len(set(seqs))
    rest = [claimed for _ in range(41 - len(seqs)) if (claimed := await claim(first, a_job(), NOON))]
    assert len(seqs) + len(rest) == 40


async def test_a_slice_claims_its_own_rows_only(database: Database) -> None:
    ledger = await an_open_stage(database, 10)
    jobs = [replace(a_job(), range=SliceRange(first, first + 1)) for first in (3, 7)]
    claims = await asyncio.gather(*(claim(ledger, job, NOON) for job in jobs for _ in range(3)))
    assert sorted(claimed.seq for claimed in claims if claimed) == [3, 4, 7, 8]


async def test_neither_an_older_epoch_nor_a_closed_stage_claims_anything(database: Database) -> None:
    ledger = await an_open_stage(database, 2)
    await ledger.open_stage(KEY, 2)
    assert await claim(ledger, a_job(epoch=1), NOON) is None
    assert await claim(ledger, a_job(epoch=2), NOON) is not None
    await ledger.close_stage(KEY, 2)
    assert await claim(ledger, a_job(epoch=2), NOON) is None
    assert await states(database) == ["handing_over", "pending"]


async def test_only_who_agreed_is_measured_and_only_in_a_mass_mail_that_measures(database: Database) -> None:
    ledger = await an_open_stage(database, [a_contact(1), a_contact(2, tracking=False), a_contact(3)])
    jobs = [a_job(1, 1), a_job(2, 2), a_job(3, 3, measured=False)]
    claims = [await claim(ledger, job, NOON) for job in jobs]
    assert [claimed.tracked for claimed in claims if claimed] == [True, False, False]
    assert [row.tracked for row in await rows(database)] == [True, False, False]


async def withdrawn(database: Database) -> None:
    await ContactStore(database).save([a_contact(1, opt_in=False)])


async def opted_out(database: Database) -> None:
    await Tracking(database).unsubscribed(1, 0, 1, NOON)


async def suppressed(database: Database) -> None:
    row = {"address_key": "person1@example.org", "reason": "bounced", "since": NOON, "source": ""}
    async with database.write() as connection:
        await connection.execute(insert(suppression).values(row))


async def gone(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(delete(contact).where(contact.c.key == "1"))


async def without_address(database: Database) -> None:
    await ContactStore(database).save([a_contact(1, email="")])


async def with_invalid_address(database: Database) -> None:
    await ContactStore(database).save([a_contact(1, email="person1")])


async def with_anothers_address(database: Database) -> None:
    await ContactStore(database).save([a_contact(1, email="Person2@example.org")])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (withdrawn, "no_opt_in"), (opted_out, "unsubscribed"), (suppressed, "suppressed"), (gone, "contact_gone"),
        (without_address, "no_address"), (with_invalid_address, "invalid_address"),
        (with_anothers_address, "duplicate"),
    ],
)  # fmt: skip
async def test_who_may_not_be_mailed_any_more_is_excluded_at_the_claim(
    database: Database, change: Any, reason: str
) -> None:
    ledger = await an_open_stage(database, 2)
    await change(database)
    claimed = await claim(ledger, a_job(), NOON)
    assert claimed is not None
    assert claimed.seq == 2
    assert await claim(ledger, a_job(), NOON) is None
    assert await states(database) == [f"excluded:{reason}", "handing_over"]


@pytest.mark.parametrize("change", [withdrawn, opted_out, suppressed, gone, without_address, with_anothers_address])
async def test_nor_is_anybody_mailed_who_was_excluded_after_the_slice_was_read(database: Database, change: Any) -> None:
    due = await (await an_open_stage(database, 2)).slice(a_job(), NOON)
    await change(database)
    claimed = await due.next(NOON)
    assert claimed is not None
    assert claimed.seq == 2
    assert await due.next(NOON) is None
    assert (await states(database))[0].startswith("excluded:")


async def test_what_was_saved_about_a_contact_after_the_slice_was_read_is_in_the_mail(database: Database) -> None:
    due = await (await an_open_stage(database, 1)).slice(a_job(), NOON)
    await ContactStore(database).save([a_contact(1, first_name="Ida", email="New@example.org", tracking=False)])
    claimed = await due.next(NOON)
    assert claimed is not None
    assert (claimed.address, claimed.contact["first_name"], claimed.tracked) == ("New@example.org", "Ida", False)
    (row,) = await rows(database)
    assert (row.address, row.address_key, row.tracked) == ("New@example.org", "new@example.org", False)


async def test_an_opt_in_is_not_asked_for_where_the_order_does_not_ask(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    await withdrawn(database)
    assert await claim(ledger, a_job(opted_in_only=False), NOON) is not None


async def test_a_changed_address_gets_the_mail_and_the_row_says_so(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    await ContactStore(database).save([a_contact(1, email="New@example.org")])
    claimed = await claim(ledger, a_job(), NOON)
    assert claimed is not None
    assert claimed.address == "New@example.org"
    (row,) = await rows(database)
    assert (row.address, row.address_key) == ("New@example.org", "new@example.org")


async def test_two_who_changed_to_one_address_get_one_mail_even_if_claimed_together(database: Database) -> None:
    ledger = await an_open_stage(database, 3)
    await ContactStore(database).save([a_contact(number, email="same@example.org") for number in (1, 3)])
    claims = await asyncio.gather(*(claim(ledger, a_job(), NOON) for _ in range(3)))
    assert sorted(claimed.seq for claimed in claims if claimed) == [1, 2]
    assert await states(database) == ["handing_over", "handing_over", "excluded:duplicate"]


@pytest.fixture
async def losing(database: Database) -> AsyncIterator[Faulty]:
    losing = Faulty(database.url)
    yield losing
    await losing.close()


async def test_claims_whose_commit_got_no_answer_are_found_by_their_tokens(losing: Faulty) -> None:
    ledger = await an_open_stage(losing, 5)
    losing.losses = 1
    claims = await asyncio.gather(*(claim(ledger, a_job(), NOON) for _ in range(7)))
    assert sorted(claimed.seq for claimed in claims if claimed) == [1, 2, 3, 4, 5]
    stored = await rows(losing)
    assert {row.token for row in stored} == {claimed.token for claimed in claims if claimed}
    assert {row.attempts for row in stored} == {claimed.attempts for claimed in claims if claimed} == {1}


async def test_a_committed_claim_stands_even_if_the_stage_is_closed_before_it_is_found(
    database: Database, losing: Faulty
) -> None:
    await an_open_stage(database, 1)
    losing.losses = 1
    claiming = asyncio.create_task(claim(a_ledger(losing), a_job(), NOON))
    await losing.lost.wait()
    await a_ledger(database).close_stage(KEY, 1)
    claimed = await claiming
    assert claimed is not None
    assert claimed.seq == 1


async def test_a_stop_waits_for_a_claim_that_is_being_committed(database: Database) -> None:
    ledger = await an_open_stage(database, 20)
    other: Ledger = a_ledger(database)
    claims = [asyncio.create_task(claim(ledger, a_job(), NOON)) for _ in range(20)]
    await asyncio.sleep(0)
    await other.close_stage(KEY, 1)
    before = await states(database)
    await asyncio.gather(*claims)
    assert await states(database) == before


async def test_message_id_and_date_stay_when_a_mail_is_tried_again(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    first = await claim(ledger, a_job(), NOON)
    assert first is not None
    async with database.write() as connection:
        await connection.exec_driver_sql("UPDATE delivery SET state = 'pending'")
    again = await claim(ledger, a_job(), NOON + timedelta(days=1))
    assert again is not None
    assert (again.message_id, again.dated_at, again.attempts) == (first.message_id, NOON, 2)
    assert again.token != first.token


def deferred(claimed: Claimed) -> Outcome:
    return outcome(claimed, Answer(Verdict.DEFERRED), NOON)


def not_begun(claimed: Claimed) -> Outcome:
    return given_back(claimed, NOON)


@pytest.mark.parametrize(
    ("first_try", "change", "says_so"),
    [
        (deferred, {"last_name": "Meier"}, True),
        (deferred, {}, False),
        (not_begun, {"last_name": "Meier"}, False),
    ],
)
async def test_a_row_says_whether_its_contact_s_data_changed_between_two_tries(
    database: Database, first_try: Callable[[Claimed], Outcome], change: dict[str, str], says_so: bool
) -> None:
    ledger = await an_open_stage(database, 1)
    first = await claim(ledger, a_job(), NOON)
    assert first is not None
    await ledger.record(first_try(first))
    await ContactStore(database).save([a_contact(1, **change)])
    again = await claim(ledger, a_job(), NOON + timedelta(days=1))
    assert again is not None
    await ledger.record(outcome(again, Answer(Verdict.ACCEPTED, "250 ok"), NOON))
    (story,) = await DeliveryList(database).stories(KEY.mass_mail_id)
    assert story.data_changed is says_so
    assert story.why == ("250 ok; the contact's data changed between the tries" if says_so else "250 ok")


async def test_what_changed_between_two_tries_is_not_forgotten_by_a_third(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    for day, name in enumerate(["Meier", "Schulz", "Schulz"]):
        claimed = await claim(ledger, a_job(), NOON + timedelta(days=day))
        assert claimed is not None
        await ledger.record(deferred(claimed))
        await ContactStore(database).save([a_contact(1, last_name=name)])
    assert (await rows(database))[0].data_changed


async def test_postgresql_finds_each_given_row_by_its_key_before_it_has_counted_the_rows(database: Database) -> None:
    if database.is_sqlite:  # it gets one after the other
        return
    await an_open_stage(database, 3_000)  # of a few it may read all
    for update in (Claims(is_sqlite=False).update, Outcomes(is_sqlite=False).update):
        async with database.write(by_key=True) as connection:
            statement = update.returning.compile(dialect=connection.dialect)
            values = statement.params | {update.parameter: "[]"}
            in_order = tuple(values[name] for name in statement.positiontup or ())
            plan = "\n".join((await connection.exec_driver_sql(f"EXPLAIN {statement}", in_order)).scalars())
        assert re.search(rf"Index Cond: .*\(seq = {update.parameter}\.seq\)", plan), plan
