"""A trigger is kept with the event that set it off, and carried out once."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from serienmail.domain.activity import NewCall, NewTask, Priority
from serienmail.domain.contact import FieldType
from serienmail.domain.delivery import MailRef
from serienmail.domain.feedback import Feedback, Happening, Severity
from serienmail.domain.judging import QUIET, Visit
from serienmail.domain.loading import first_load
from serienmail.domain.mass_mail import MassMail
from serienmail.domain.states import MassMailState
from serienmail.domain.template import TemplateRef
from serienmail.domain.trigger import CarriedOut, FieldUpdate, On, Trigger, Triggered
from serienmail.mailing.machine_list import read_machine_list
from serienmail.storage.contacts import Attribute, ContactStore
from serienmail.storage.crm_tables import activity, triggered
from serienmail.storage.database import Database
from serienmail.storage.feedback import FeedbackStore
from serienmail.storage.loading import RecipientStore
from serienmail.storage.mass_mails import MassMailStore
from serienmail.storage.measured_links import MeasuredLinkStore
from serienmail.storage.tables import contact, delivery
from serienmail.storage.triggers import TriggerStore
from serienmail.storage.visits import VisitStore, VisitTo
from tests.builders import NOON, a_contact, a_person_opens, an_order

OFFER, HOME = "https://www.example.org/offer", "https://www.example.org/"
TASK = NewTask(subject="Send a sample", due_after=timedelta(days=3), priority=Priority.HIGH, assignee="b.mueller")
CALL = NewCall(subject="Ask how it went", starts_after=timedelta(hours=2))
OPENED = Trigger(on=On.OPENED, updates=(FieldUpdate("city", "Ulm"), FieldUpdate("vip", True)), tasks=(TASK,),
                 calls=(CALL,), hook="crm")  # fmt: skip
OFFERED = Trigger(on=On.CLICKED, link=OFFER, tasks=(NewTask(subject="Offer"),))
CLICKED = Trigger(on=On.CLICKED, tasks=(NewTask(subject="Any"),))
BOUNCED = Trigger(on=On.BOUNCED, updates=(FieldUpdate("vip", False),))
LATER = NOON + timedelta(minutes=5)


async def sent(database: Database, *triggers: Trigger, **changes: Any) -> MassMail:
    """A mass mail with these triggers, sent to two people of whom the first has an owner."""
    contacts = ContactStore(database)
    await contacts.learn([Attribute("vip", FieldType.BOOLEAN), Attribute("hobby", FieldType.TEXT)])
    await contacts.save([a_contact(1, owner="c.weber", attributes={"hobby": "chess"}), a_contact(2)])
    order = an_order(triggers=triggers, **changes)
    await MassMailStore(database).create(order, NOON)
    await RecipientStore(database).load(first_load(order, 1), NOON)
    async with database.write() as connection:
        await connection.execute(update(delivery).values(state="sent", tracked=True))
    return order


async def kept(database: Database) -> list[tuple[int, int, str]]:
    """What was set off: stage, recipient, trigger."""
    async with database.read() as connection:
        rows = await connection.execute(select(triggered).order_by(triggered.c.stage, triggered.c.seq))
        return [(row.stage, row.seq, row.trigger) for row in rows]


async def activities(database: Database) -> list[Any]:
    """What was created, by kind."""
    async with database.read() as connection:
        return list((await connection.execute(select(activity).order_by(activity.c.kind, activity.c.id))).all())


def bounce(kind: Happening = Happening.BOUNCED) -> Feedback:
    """The first recipient's mail came back."""
    return Feedback(id=f"a {kind}", kind=kind, at=NOON, mail=MailRef(1, 0, 1), severity=Severity.SOFT)


async def test_each_recipient_sets_a_trigger_off_once_however_often_the_mail_is_opened(database: Database) -> None:
    await sent(database, OPENED)
    for minutes in (0, 10):
        for seq in (1, 2):
            await a_person_opens(database, seq, NOON + timedelta(minutes=minutes))
    assert await kept(database) == [(0, 1, "opened"), (0, 2, "opened")]


async def test_a_machine_sets_nothing_off(database: Database) -> None:
    await sent(database, OPENED, CLICKED)
    visits = VisitStore(database, read_machine_list())
    burst = [VisitTo(f"m{link}", 1, 0, 1, Visit(at=NOON, link=link, agent="Firefox")) for link in (1, 2, 3)]
    await visits.record([*burst, VisitTo("head", 1, 0, 2, Visit(at=NOON, link=0, method="HEAD"))])
    assert await visits.judge(NOON + QUIET) == 4
    assert await kept(database) == []


async def test_a_click_sets_off_what_waits_for_any_link_for_this_one_and_for_opening(database: Database) -> None:
    await sent(database, OPENED, CLICKED, OFFERED)
    ids = await MeasuredLinkStore(database).ids(TemplateRef.parse("autumn@1"), [OFFER, HOME])
    await a_person_opens(database, 1, NOON, link=ids[OFFER])
    await a_person_opens(database, 2, NOON, link=ids[HOME])
    assert sorted(await kept(database)) == [
        (0, 1, "clicked"), (0, 1, OFFERED.key), (0, 1, "opened"), (0, 2, "clicked"), (0, 2, "opened"),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [Happening.BOUNCED, Happening.FAILED])
async def test_a_bounce_sets_its_trigger_off_once(database: Database, kind: Happening) -> None:
    await sent(database, OPENED, BOUNCED)
    news = bounce(kind)
    await FeedbackStore(database, 3).record([news, news, replace(news, id="another")])
    assert await kept(database) == [(0, 1, "bounced")]


async def test_a_mail_that_is_only_late_has_not_bounced(database: Database) -> None:
    await sent(database, BOUNCED)
    await FeedbackStore(database, 3).record([bounce(Happening.DEFERRED), bounce(Happening.COMPLAINED)])
    assert await kept(database) == []


async def test_a_deleted_mass_mail_sets_nothing_off(database: Database) -> None:
    order = await sent(database, OPENED)
    store = MassMailStore(database)
    status = (await store.get(order.id)).status
    await store.record(replace(status, state=MassMailState.DELETED, version=1))
    await a_person_opens(database, 1, NOON)
    assert await kept(database) == []


async def test_what_nobody_started_yet_is_found_again_until_it_is_marked(database: Database) -> None:
    await sent(database, OPENED)
    await a_person_opens(database, 2, NOON)
    await a_person_opens(database, 1, LATER)
    store, first, second = TriggerStore(database), *(Triggered("autumn", 0, seq, "opened") for seq in (2, 1))
    assert await store.not_started(10) == [first, second]
    assert await store.not_started(1) == [first]
    await store.mark_started([first], LATER)
    assert await store.not_started(10) == [second]
    await store.mark_started([], LATER)
    assert await store.not_started(10) == [second]


async def test_carrying_out_updates_fields_and_creates_tasks_and_calls(database: Database) -> None:
    await sent(database, OPENED)
    await a_person_opens(database, 1, NOON)
    store = TriggerStore(database)
    assert await store.carry_out(Triggered("autumn", 0, 1, "opened"), LATER) == CarriedOut(2, 1, 1, tells=True)
    person = await ContactStore(database).find("1")
    assert person is not None
    assert (person["city"], person["vip"], person["hobby"]) == ("Ulm", True, "chess")
    call, task = await activities(database)
    assert (task.kind, task.subject, task.assigned, task.priority, task.status) == (
        "task", "Send a sample", "b.mueller", "high", "not_started",
    )  # fmt: skip
    assert (task.due_at, task.contact_id, task.mass_mail_id) == (NOON + timedelta(days=3), 1, "autumn")
    assert (call.kind, call.assigned, call.starts_at) == ("call", "c.weber", NOON + timedelta(hours=2))


async def test_who_ordered_the_mass_mail_has_the_task_if_nobody_answers_for_the_contact(database: Database) -> None:
    await sent(database, CLICKED)
    await a_person_opens(database, 2, NOON, link=1)
    await TriggerStore(database).carry_out(Triggered("autumn", 0, 2, "clicked"), LATER)
    assert [row.assigned for row in await activities(database)] == ["anna"]


async def test_a_second_try_changes_nothing_and_gives_the_same_answer(database: Database) -> None:
    await sent(database, OPENED)
    await a_person_opens(database, 1, NOON)
    store, set_off = TriggerStore(database), Triggered("autumn", 0, 1, "opened")
    answers = await asyncio.gather(*(store.carry_out(set_off, LATER) for _ in range(4)))
    assert answers == [CarriedOut(2, 1, 1, tells=True)] * 4
    assert len(await activities(database)) == 2
    await ContactStore(database).save([a_contact(1, city="Bonn")])
    await store.carry_out(set_off, LATER)
    person = await ContactStore(database).find("1")
    assert person is not None
    assert person["city"] == "Bonn"  # what somebody changed since then stays


async def test_a_trigger_that_was_taken_out_of_the_order_does_nothing(database: Database) -> None:
    order = await sent(database, OPENED)
    await a_person_opens(database, 1, NOON)
    store = MassMailStore(database)
    status = (await store.get(order.id)).status
    await store.record(replace(status, order=replace(order, triggers=(CLICKED,)), version=1))
    assert await TriggerStore(database).carry_out(Triggered("autumn", 0, 1, "opened"), LATER) == CarriedOut()
    assert await activities(database) == []


async def test_a_hook_is_told_ids_and_the_link_and_no_address(database: Database) -> None:
    await sent(database, replace(OFFERED, hook="crm"))
    ids = await MeasuredLinkStore(database).ids(TemplateRef.parse("autumn@1"), [OFFER])
    await a_person_opens(database, 1, NOON, link=ids[OFFER])
    news = await TriggerStore(database).news(Triggered("autumn", 0, 1, OFFERED.key))
    assert news is not None
    assert (news.hook, news.id, news.happened, news.at) == ("crm", f"autumn/0/1/{OFFERED.key}", "clicked", NOON)
    assert (news.module, news.contact, news.recipient, news.link) == ("contact", "1", 1, OFFER)
    assert "example.org/offer" in str(news)
    assert "person1" not in str(news)


async def test_nobody_is_told_of_an_erased_person(database: Database) -> None:
    await sent(database, OPENED)
    await a_person_opens(database, 1, NOON)
    async with database.write() as connection:
        await connection.execute(update(delivery).values(contact_id=0))
        await connection.execute(contact.delete())
    store, set_off = TriggerStore(database), Triggered("autumn", 0, 1, "opened")
    assert await store.carry_out(set_off, LATER) == CarriedOut()
    assert await store.news(set_off) is None
