"""A person's data is handed out complete, and erased without a trace but a keyed hash."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlmodel import SQLModel

from serienmail.domain.consent import Purpose
from serienmail.domain.contact import FieldType
from serienmail.domain.criteria import where
from serienmail.domain.delivery import HAND_OVER_LIMIT, Answer, MailRef, StageKey, Verdict, outcome
from serienmail.domain.erasure import ERASED
from serienmail.domain.errors import CommandRefused
from serienmail.domain.feedback import Feedback, Happening, Severity
from serienmail.domain.filters import Filter
from serienmail.domain.selection import Selection
from serienmail.domain.suppression import AddressHash, Suppression, SuppressionReason
from serienmail.storage.consent_requests import ConsentRequestStore, Question
from serienmail.storage.contacts import Attribute, ContactStore
from serienmail.storage.crm_tables import activity, triggered
from serienmail.storage.database import Database
from serienmail.storage.feedback import FeedbackStore
from serienmail.storage.filters import FilterStore
from serienmail.storage.ledger import Ledger
from serienmail.storage.loading import RecipientStore
from serienmail.storage.mass_mails import MassMailStore
from serienmail.storage.persons import Erased, PersonStore
from serienmail.storage.selections import SelectionStore
from serienmail.storage.suppressions import SuppressionStore
from serienmail.storage.tables import consent_request, contact, copy, delivery, event, suppression, visit
from serienmail.storage.tracking import Tracking
from serienmail.storage.work_lists import WorkListStore
from tests.builders import KEY, NOON, a_contact, a_job, a_load, a_person_opens, an_open_stage, an_order, claim, states

HASH = AddressHash(b"k" * 32)
WANDA = a_contact(
    1, key="crm-4711", email="Wanda.Wunderlich@example.org", first_name="Wanda", last_name="Wunderlich",
    company="Wunderlich KG", attributes={"hobby": "Wunderkerzen"},
)  # fmt: skip
ADDRESS = "wanda.wunderlich@example.org"
TRACES = ("wanda", "wunder", "crm-4711")
LATER = NOON + HAND_OVER_LIMIT


async def everywhere(database: Database) -> Ledger:
    """Wanda has got a mail and opened it, one is due to her, a third is due about a topic that she left."""
    ledger = await an_open_stage(database, [WANDA, a_contact(2, key="z")])  # saved in the order of their keys
    for verdict in (Verdict.ACCEPTED, Verdict.ACCEPTED):
        claimed = await claim(ledger, a_job(), NOON)
        assert claimed is not None
        await ledger.record(outcome(claimed, Answer(verdict, f"250 ok {claimed.address}"), NOON))
    tracking = Tracking(database)
    await a_person_opens(database, 1, NOON)
    for mass_mail_id, topic in (("due", ""), ("wine", "Wine")):
        await MassMailStore(database).create(an_order(id=mass_mail_id, topic=topic), NOON)
        await RecipientStore(database).load(a_load(key=StageKey(mass_mail_id, 0), topic=topic), NOON)
    await tracking.unsubscribed(3, 0, 1, NOON)
    late = {"kind": "late_reply", "mass_mail_id": "autumn", "stage": 0, "seq": 1, "at": NOON, "detail": ADDRESS}
    async with database.write() as connection:
        await connection.execute(insert(event).values(late))
    asked = {
        "contact_id": 1, "contact_key": WANDA.key, "address_key": ADDRESS, "purpose": "tracking", "template": "ask@1",
        "account": "main", "asked_at": NOON, "expires_at": LATER,
    }  # fmt: skip
    async with database.write() as connection:
        await connection.execute(insert(consent_request).values(asked))
    await in_what_people_picked(database)
    bounce = Feedback(
        id="1", kind=Happening.BOUNCED, at=NOON, mail=MailRef(1, 0, 1), severity=Severity.SOFT, detail=f"<{ADDRESS}>"
    )
    unmatched = replace(bounce, id="2", mail=None, detail=f"<{WANDA.email}> is unknown")
    await FeedbackStore(database, patience=3).record([bounce, unmatched])
    async with database.write() as connection:
        asked_for = {"id": "v", "mass_mail_id": "autumn", "stage": 0, "seq": 1, "at": NOON, "link": 0}
        seen = {"method": "GET", "network": "hash", "agent": "Wanda's own browser", "scanner": False}
        await connection.execute(insert(visit).values(asked_for | seen))
    by_hand = Suppression(address_key=ADDRESS, topic="Beer", reason=SuppressionReason.BY_HAND, since=NOON)
    await SuppressionStore(database, HASH).add([by_hand], NOON)
    beside = {
        "origin": "by hand", "contact_id": 1, "kind": "note", "mass_mail_id": "autumn", "stage": 0, "subject": "Wanda",
        "note": ADDRESS, "type": "", "assigned": "anna", "status": "", "priority": "", "created_at": NOON,
    }  # fmt: skip
    set_off = {"mass_mail_id": "autumn", "stage": 0, "seq": 1, "trigger": "opened", "at": NOON}
    async with database.write() as connection:
        await connection.execute(insert(activity).values(beside))
        await connection.execute(insert(triggered), [set_off, set_off | {"seq": 2}])
    return ledger


async def in_what_people_picked(database: Database) -> None:
    """By hand, by name, on a list, in a fixed selection, in a filter; and her mail was shown to an employee."""
    by_name = where("last_name").eq("Wunderlich") | where("hobby").contains("wunder")
    by_hand = where("email").eq(ADDRESS) | where("key").in_("crm-4711", "2")
    await ContactStore(database).learn([Attribute("hobby", FieldType.TEXT)])
    selections = SelectionStore(database)
    await selections.fix(await selections.save(Selection(by_hand | by_name, removed=where("key").eq("crm-4711"))))
    await FilterStore(database).save(Filter("vip", by_name | where("company").starts_with("Wunder")))
    lists = WorkListStore(database)
    await lists.create("fair")
    await lists.add_keys("fair", ["crm-4711", "z"], "contact")
    async with database.write() as connection:
        shown = {"mass_mail_id": "autumn", "user": "anna", "contact_id": 1, "state": "pending"}
        await connection.execute(insert(copy).values(shown))


async def traces(database: Database) -> list[tuple[str, str]]:
    """Every table and text of the whole database that tells of Wanda."""
    found = []
    async with database.read() as connection:
        for table in SQLModel.metadata.sorted_tables:
            for row in await connection.execute(select(table)):
                found += [(table.name, str(value)) for value in row if any(t in str(value).lower() for t in TRACES)]
    return found


async def test_nothing_in_any_table_tells_of_an_erased_person(database: Database) -> None:
    await everywhere(database)
    planted = {table for table, _ in await traces(database)}
    assert planted == {
        "activity", "contact", "consent", "consent_request", "delivery", "event", "feedback", "saved_filter",
        "selection", "suppression", "visit", "work_list_member",
    }  # fmt: skip
    persons = PersonStore(database, HASH)
    assert await persons.erase(ADDRESS, "root", LATER) == Erased(1, mails=3, consents=3, places=3, criteria=2)
    assert await traces(database) == []
    async with database.read() as connection:
        assert (await connection.execute(select(suppression.c.address_key))).scalars().all() == [HASH(ADDRESS)]
        assert (await connection.execute(select(triggered.c.seq))).scalars().all() == [2]  # the other's
    assert await persons.erase(ADDRESS, "root", LATER) == Erased(0, 0, 0, 0, 0)
    assert await traces(database) == []


async def test_what_is_due_to_an_erased_person_is_excluded_and_what_was_sent_still_counts(database: Database) -> None:
    ledger = await everywhere(database)
    await PersonStore(database, HASH).erase(ADDRESS, "root", LATER)
    assert await states(database) == ["sent", "sent"]
    assert await states(database, StageKey("due", 0)) == ["excluded:contact_gone", "pending"]
    counts = await ledger.counts(KEY)
    assert (counts.opened, counts.not_opened) == (1, 1)
    assert await ledger.reopen(StageKey("due", 0), True) == 0


async def test_an_erased_person_s_mails_never_become_the_next_contact_s(database: Database) -> None:
    ledger = await an_open_stage(database, [a_contact(1), WANDA])
    await PersonStore(database, HASH).erase(ADDRESS, "root", LATER)
    await ContactStore(database, HASH).save([a_contact(3)])  # SQLite gives it the id that is free
    assert await ledger.reopen(KEY, True) == 0
    assert await states(database) == ["pending", "excluded:contact_gone"]


async def test_an_erased_person_who_is_imported_again_gets_no_mail(database: Database) -> None:
    await everywhere(database)
    await PersonStore(database, HASH).erase(ADDRESS, "root", LATER)
    await ContactStore(database, HASH).save([WANDA])
    assert (await RecipientStore(database).preview(a_load())).counts.excluded == {"suppressed": 1}


@pytest.mark.parametrize("state", ["handing_over", "deferred", "unknown"])
async def test_erasing_waits_for_a_mail_server_that_may_still_answer(database: Database, state: str) -> None:
    ledger = await an_open_stage(database, [WANDA])
    await claim(ledger, a_job(), NOON)
    async with database.write() as connection:
        await connection.execute(update(delivery).values(state=state))
    persons = PersonStore(database, HASH)
    with pytest.raises(CommandRefused, match="erase it in 20 minutes"):
        await persons.erase(ADDRESS, "root", LATER - timedelta(seconds=1))
    assert await states(database) == [state]
    assert (await persons.erase(ADDRESS, "root", LATER)).mails == 1
    assert (await states(database))[0].startswith("excluded" if state == "deferred" else "unknown")


async def test_a_row_that_was_ever_in_doubt_is_never_called_excluded(database: Database) -> None:
    await an_open_stage(database, [WANDA])
    async with database.write() as connection:
        await connection.execute(update(delivery).values(state="deferred", doubted=True))
    await PersonStore(database, HASH).erase(ADDRESS, "root", LATER)
    assert await states(database) == ["unknown:contact_gone"]


async def test_an_erasure_leaves_no_trace_whatever_else_happens_at_the_same_time(database: Database) -> None:
    await everywhere(database)
    await MassMailStore(database).create(an_order(id="new"), NOON)
    tracking, recipients = Tracking(database), RecipientStore(database)
    await asyncio.gather(
        *(tracking.unsubscribed(number, 0, 1, NOON, everything=True) for number in (1, 2, 3)),
        *(recipients.load(a_load(key=StageKey("new", 0), revision=revision), NOON) for revision in (1, 2)),
        PersonStore(database, HASH).erase(ADDRESS, "root", LATER),
        *(tracking.subscribed(number, 0, 1, NOON) for number in (1, 2, 3)),
        recipients.load(a_load(key=StageKey("new", 0), revision=3), NOON),
    )
    assert await traces(database) == []


async def test_an_export_has_everything_that_an_erasure_takes(database: Database) -> None:
    await everywhere(database)
    known: Any = await PersonStore(database, HASH).export(ADDRESS)
    assert [row["key"] for row in known["contacts"]] == ["crm-4711"]
    assert known["contacts"][0]["attributes"] == {"hobby": "Wunderkerzen"}
    assert [(row["topic"], row["reason"]) for row in known["suppressions"]] == [
        ("Beer", "by_hand"), ("Wine", "unsubscribed"),
    ]  # fmt: skip
    assert [row["purpose"] for row in known["consents"]] == ["mass_mail", "tracking", "mass_mail"]
    assert [row["purpose"] for row in known["consent_requests"]] == ["tracking"]
    assert [row["mass_mail_id"] for row in known["mails"]] == ["autumn", "due", "wine"]
    assert [(row["subject"], row["note"]) for row in known["activities"]] == [("Wanda", ADDRESS)]
    assert [row["trigger"] for row in known["triggered"]] == ["opened"]
    assert [row["kind"] for row in known["events"]] == ["opened", "unsubscribed", "late_reply", "bounced"]
    assert "fair" in {row["list"] for row in known["work_lists"]}
    nobody = await PersonStore(database, HASH).export("nobody@example.org")
    assert not any(nobody.values())


async def test_what_others_are_called_too_stays_in_criteria(database: Database) -> None:
    await ContactStore(database).save([WANDA, a_contact(2, last_name="Wunderlich", company="Amt")])
    filters = FilterStore(database)
    asked = where("last_name").eq("Wunderlich") & where("first_name").eq("Wanda") & where("key").ne("crm-4711")
    await filters.save(Filter("family", asked))
    await filters.save(Filter("leads", asked, "lead"))
    assert (await PersonStore(database, HASH).erase(ADDRESS, "root", LATER)).criteria == 2
    family, leads = await filters.all()
    left = where("last_name").eq("Wunderlich") & where("first_name").eq(ERASED) & where("key").ne(ERASED)
    assert family.criterion == left
    of_leads = where("last_name").eq(ERASED) & where("first_name").eq(ERASED) & where("key").ne("crm-4711")
    assert leads.criterion == of_leads  # a lead's number is another's


async def test_another_module_s_record_with_the_same_number_is_somebody_else(database: Database) -> None:
    contacts, lists = ContactStore(database, HASH), WorkListStore(database)
    await contacts.save([WANDA])
    await contacts.save([a_contact(1, key=WANDA.key)], module="lead")
    await lists.create("leads", "lead")
    await lists.add_keys("leads", [WANDA.key], "lead")
    assert await PersonStore(database, HASH).erase(ADDRESS, "root", LATER) == Erased(1, 0, 2, 0, 0)
    assert await lists.keys("leads") == [WANDA.key]
    assert len((await PersonStore(database, HASH).export("person1@example.org"))["consents"]) == 2


async def test_the_link_of_an_erased_person_s_request_confirms_nobody_s_consent(database: Database) -> None:
    await ContactStore(database, HASH).save([WANDA])
    requests = ConsentRequestStore(database)
    asked = Question(contact_key=WANDA.key, purpose=Purpose.MASS_MAIL, template="ask@1", account="main", by="anna")
    async with database.write() as connection:
        await connection.execute(update(contact).values(opt_in=False))
    number = await requests.open(asked, NOON, timedelta(days=7))
    await PersonStore(database, HASH).erase(ADDRESS, "root", LATER)
    await ContactStore(database, HASH).save([a_contact(2, key=WANDA.key, opt_in=False)])
    assert await requests.open(asked, LATER, timedelta(days=7)) != number
    assert await requests.confirm(number, LATER) is None


async def test_a_person_is_erased_with_all_addresses_by_any_of_them(database: Database) -> None:
    contacts, other = ContactStore(database, HASH), "frau@wunder.example"
    await contacts.save([replace(WANDA, other_addresses=(other,)), a_contact(2)])
    persons = PersonStore(database, HASH)
    assert [row["address_key"] for row in (await persons.export(ADDRESS))["addresses"]] == [other]
    assert (await persons.erase(other, "root", LATER)).contacts == 1
    assert await traces(database) == []
    await contacts.save([WANDA])
    assert (await RecipientStore(database).preview(a_load())).counts.excluded == {"suppressed": 1}
