"""Recipients are judged in the database, once for each stage, each with the first reason that applies."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, update
from sqlalchemy.exc import IntegrityError

from serienmail.domain.criteria import where
from serienmail.domain.delivery import Answer, StageKey, Verdict, outcome
from serienmail.domain.errors import CommandRefused, NotFound
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.mass_mail import Audience
from serienmail.domain.selection import Selection
from serienmail.storage.contact_file import import_contacts
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.deliveries import DeliveryList
from serienmail.storage.loading import RecipientStore
from serienmail.storage.selections import SelectionStore
from serienmail.storage.tables import contact, delivery, suppression
from serienmail.storage.tracking import Tracking
from tests.builders import KEY, NOON, a_contact, a_job, a_load, a_person_opens, an_open_stage, claim, rows, states

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLLOW_UP = StageKey("autumn", 1)


async def suppress(database: Database, number: int, reason: str) -> None:
    row = {"address_key": f"person{number}@example.org", "reason": reason, "since": NOON, "source": ""}
    async with database.write() as connection:
        await connection.execute(insert(suppression).values(row))


async def test_the_example_contacts_are_counted_before_they_are_loaded_and_after(database: Database) -> None:
    await import_contacts(ContactStore(database), EXAMPLES / "kontakte.csv", EXAMPLES / "kontakte.toml")
    recipients = RecipientStore(database)
    previewed = (await recipients.preview(a_load())).counts
    loaded = await recipients.load(a_load(), NOON)
    for counts in (previewed, loaded):
        assert (counts.selected, counts.will_receive) == (1250, 1014)
        assert counts.excluded == {"no_address": 7, "invalid_address": 39, "no_opt_in": 167, "duplicate": 23}
    assert loaded.by_state == {"pending": 1014, "excluded": 236}
    assert sum([len(batch) async for batch in recipients.previewed(a_load())]) == 1014
    assert sum([len(batch) async for batch in recipients.pending(KEY)]) == 1014


async def test_the_first_reason_that_applies_is_the_one(database: Database) -> None:
    contacts = [
        a_contact(1, email="", opt_in=False), a_contact(2, email="x", opt_in=False), a_contact(3, opt_in=False),
        a_contact(4, opt_in=False), a_contact(5, opt_in=False), a_contact(6), a_contact(7, email="PERSON6@example.org"),
        a_contact(8, email="person6@example.org", opt_in=False),
    ]  # fmt: skip
    await ContactStore(database).save(contacts)
    await suppress(database, 3, "unsubscribed")
    await suppress(database, 4, "complained")
    await RecipientStore(database).load(a_load(), NOON)
    reasons = [Exclusion.NO_ADDRESS, Exclusion.INVALID_ADDRESS, Exclusion.UNSUBSCRIBED, Exclusion.SUPPRESSED,
               Exclusion.NO_OPT_IN, None, Exclusion.DUPLICATE, Exclusion.NO_OPT_IN]  # fmt: skip
    assert await states(database) == [f"excluded:{reason}" if reason else "pending" for reason in reasons]


async def test_the_first_with_an_address_who_may_get_it_gets_it(database: Database) -> None:
    same = "same@example.org"
    await ContactStore(database).save([a_contact(1, email=same, opt_in=False), a_contact(2, email=same)])
    await RecipientStore(database).load(a_load(), NOON)
    assert await states(database) == ["excluded:no_opt_in", "pending"]


async def test_only_the_selected_are_in_and_the_ignored_are_told(database: Database) -> None:
    await ContactStore(database).save([a_contact(1, city="Ulm"), a_contact(2), a_contact(3, city="Ulm", company="AG")])
    store = SelectionStore(database)
    ulm = await store.save(Selection(where("city").eq("Ulm")))
    companies = await store.save(Selection(~where("company").empty()))
    counts = await RecipientStore(database).load(a_load(selection=ulm, ignore=companies), NOON)
    assert (counts.selected, counts.excluded) == (2, {"ignored": 1})
    with pytest.raises(NotFound):
        await RecipientStore(database).preview(a_load(selection="abc"))


async def test_the_opt_in_can_be_left_out_of_account(database: Database) -> None:
    await ContactStore(database).save([a_contact(1, opt_in=False)])
    assert (await RecipientStore(database).preview(a_load(opted_in_only=False))).counts.will_receive == 1


async def test_loading_again_gives_the_stored_recipients(database: Database) -> None:
    recipients = RecipientStore(database)
    await ContactStore(database).save([a_contact(1)])
    first = await recipients.load(a_load(), NOON)
    await ContactStore(database).save([a_contact(2)])
    assert await recipients.load(a_load(), NOON) == first
    assert (await recipients.load(a_load(revision=2), NOON)).selected == 2
    assert (await recipients.load(a_load(revision=1), NOON)).selected == 2


async def test_loading_twice_at_once_loads_once(database: Database) -> None:
    await ContactStore(database).save([a_contact(number) for number in range(20)])
    loads = await asyncio.gather(*(RecipientStore(database).load(a_load(), NOON) for _ in range(4)))
    assert [counts.selected for counts in loads] == [20] * 4
    assert len(await rows(database)) == 20


async def test_recipients_are_not_replaced_once_one_was_handed_over(database: Database) -> None:
    ledger = await an_open_stage(database, 2)
    claimed = await claim(ledger, a_job(), NOON)
    assert claimed is not None
    await ledger.record(outcome(claimed, Answer(Verdict.FAILED), NOON))
    await ledger.reopen(KEY, True)
    with pytest.raises(CommandRefused, match="can't be changed any more"):
        await RecipientStore(database).load(a_load(revision=2), NOON)
    assert await states(database) == ["pending", "pending"]


async def test_merge_fields_are_built_in_and_free_ones_side_by_side(database: Database) -> None:
    await ContactStore(database).save([a_contact(1, first_name="Ida", attributes={"industry": "Handel"})])
    [[(_, fields)]] = [batch async for batch in RecipientStore(database).previewed(a_load())]
    assert (fields["first_name"], fields["industry"], fields["email"]) == ("Ida", "Handel", "person1@example.org")
    assert fields.keys().isdisjoint({"id", "attributes", "address_key", "imported_at"})


async def test_only_who_is_still_due_a_mail_is_excluded_by_seq(database: Database) -> None:
    ledger = await an_open_stage(database, 2)
    await claim(ledger, a_job(), NOON)
    await RecipientStore(database).exclude(KEY, [1, 2], Exclusion.PLACEHOLDER_MISSING)
    assert await states(database) == ["handing_over", "excluded:placeholder_missing"]


async def a_sent_mass_mail(database: Database) -> None:
    """To six: 1 clicked, 2 did not, 3 is not measured, 4 was rejected, 5 is in doubt, 6 was excluded."""
    contacts = [a_contact(number, tracking=number != 3, opt_in=number != 6) for number in range(1, 7)]
    ledger = await an_open_stage(database, contacts)
    verdicts = [Verdict.ACCEPTED] * 3 + [Verdict.REJECTED, Verdict.IN_DOUBT]
    for verdict in verdicts:
        claimed = await claim(ledger, a_job(), NOON)
        assert claimed is not None
        await ledger.record(outcome(claimed, Answer(verdict), NOON))
    for seq in (1, 3):
        await a_person_opens(database, seq, NOON + timedelta(hours=1), link=1)


async def audience(database: Database, chosen: Audience, **changes: Any) -> dict[str, str]:
    """Who is in a follow-up's audience, by address, and in which state."""
    load = a_load(FOLLOW_UP, audience=chosen, templates=("thanks@1",), **changes)
    await RecipientStore(database).load(load, NOON)
    names = [row.address.partition("@")[0] for row in await rows(database, FOLLOW_UP)]
    return dict(zip(names, await states(database, FOLLOW_UP), strict=True))


@pytest.mark.parametrize(
    ("chosen", "people"),
    [
        (Audience.RECEIVED, ["person1", "person2", "person3"]),
        (Audience.OPENED, ["person1"]),
        (Audience.NOT_OPENED, ["person2"]),
        (Audience.CLICKED, ["person1"]),
        (Audience.NOT_CLICKED, ["person2"]),
    ],
)
async def test_a_follow_up_goes_to_its_audience_among_those_who_got_the_mass_mail(
    database: Database, chosen: Audience, people: list[str]
) -> None:
    await a_sent_mass_mail(database)
    assert await audience(database, chosen) == dict.fromkeys(people, "pending")
    counts = await RecipientStore(database).counts(KEY)
    assert (counts.opened, counts.not_opened) == (1, 1)


async def test_consent_and_ignore_criteria_count_as_they_are_when_the_follow_up_is_due(database: Database) -> None:
    await a_sent_mass_mail(database)
    ignored = await SelectionStore(database).save(Selection(where("city").eq("Ulm")))
    await ContactStore(database).save([a_contact(2, city="Ulm"), a_contact(3, opt_in=False)])
    await Tracking(database).unsubscribed(1, 0, 1, NOON)
    assert await audience(database, Audience.RECEIVED, ignore=ignored) == {
        "person1": "excluded:unsubscribed", "person2": "excluded:ignored", "person3": "excluded:no_opt_in",
    }  # fmt: skip
    assert (await RecipientStore(database).counts(KEY)).unsubscribed == 1


async def test_a_follow_up_goes_to_the_address_of_its_moment_and_to_each_address_once(database: Database) -> None:
    await a_sent_mass_mail(database)
    moved = [a_contact(1, email="new@example.org"), a_contact(3, email="person2@example.org")]
    await ContactStore(database).save(moved)
    await audience(database, Audience.RECEIVED)
    found = [(row.address, row.state, row.reason) for row in await rows(database, FOLLOW_UP)]
    assert found == [
        ("new@example.org", "pending", ""),
        ("person2@example.org", "pending", ""),
        ("person2@example.org", "excluded", "duplicate"),
    ]


async def test_a_contact_that_was_deleted_gets_no_follow_up(database: Database) -> None:
    await a_sent_mass_mail(database)
    async with database.write() as connection:
        await connection.execute(delete(contact).where(contact.c.key == "2"))
    assert list(await audience(database, Audience.RECEIVED)) == ["person1", "person3"]


async def test_a_preview_writes_nothing(database: Database) -> None:
    await ContactStore(database).save([a_contact(1)])
    await RecipientStore(database).preview(replace(a_load(), revision=9))
    assert await rows(database) == []
    assert (await RecipientStore(database).counts(KEY)).selected == 0


async def test_a_limit_excludes_the_last_who_would_get_it_and_counts_nobody_else(database: Database) -> None:
    await ContactStore(database).save([a_contact(number, opt_in=number != 2) for number in range(1, 7)])
    recipients = RecipientStore(database, limit=3)
    await recipients.load(a_load(), NOON)
    await recipients.exclude(KEY, [1], Exclusion.PLACEHOLDER_MISSING)
    for _ in range(2):  # safe to repeat
        await recipients.limit(KEY)
        assert await states(database) == [
            "excluded:placeholder_missing", "excluded:no_opt_in", *["pending"] * 3, "excluded:over_limit",
        ]  # fmt: skip


async def test_fewer_than_the_limit_and_no_limit_exclude_nobody(database: Database) -> None:
    await ContactStore(database).save([a_contact(number) for number in range(3)])
    for limit in (None, 3, 4):
        recipients = RecipientStore(database, limit)
        await recipients.load(a_load(), NOON)
        await recipients.limit(KEY)
        assert await states(database) == ["pending"] * 3


async def test_who_was_removed_by_hand_is_that_whatever_else_is_wrong(database: Database) -> None:
    await ContactStore(database).save([a_contact(1, email=""), a_contact(2, email="x"), a_contact(3, opt_in=False)])
    nobody = await SelectionStore(database).save(Selection(removed=~where("key").empty()))
    assert (await RecipientStore(database).preview(a_load(selection=nobody))).counts.excluded == {"removed_by_hand": 3}


async def test_the_database_itself_refuses_two_rows_of_a_stage_with_one_address(database: Database) -> None:
    await an_open_stage(database, 2)
    same = update(delivery).values(address_key="same@example.org")
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await connection.execute(same)
    async with database.write() as connection:
        await connection.execute(same.values(state="excluded", reason="duplicate"))


async def test_who_shares_any_address_with_somebody_else_is_a_duplicate(database: Database) -> None:
    people = [
        a_contact(1, email="ida@work.example", other_addresses=("ida@home.example",)),
        a_contact(2, email="ida@home.example"),
        a_contact(3, email="ida@mobile.example", other_addresses=("ida@home.example",)),
        a_contact(4),
        a_contact(5, email="jan@work.example", opt_in=False, other_addresses=("person4@example.org",)),
    ]
    ledger = await an_open_stage(database, people)
    duplicate = "excluded:duplicate"
    assert await states(database) == ["pending", duplicate, duplicate, "pending", "excluded:no_opt_in"]
    stories = await DeliveryList(database).stories("autumn")
    assert [story.why for story in stories][1:3] == ["duplicate of 1"] * 2
    assert await ledger.reopen(KEY, True) == 0
    await ContactStore(database).save([a_contact(3, email="jan@example.org")])
    assert await ledger.reopen(KEY, True) == 1
