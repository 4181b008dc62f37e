"""Automatic answers: asked for by the order, claimed once, and in doubt rather than sent twice."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from serienmail.domain.auto_answer import WORTH_IT, Incoming
from serienmail.domain.delivery import MailRef, Verdict
from serienmail.domain.feedback import Feedback, Happening
from serienmail.domain.suppression import ALL_TOPICS
from serienmail.storage.answers import AnswerStore
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.tables import automatic_answer, delivery, mass_mail, suppression
from tests.builders import NOON, a_contact
from tests.web.conftest import a_mass_mail

ADDRESS = "person1@example.org"
HALF_A_DAY = timedelta(hours=12)


@pytest.fixture
async def answers(database: Database) -> AnswerStore:
    """A mass mail that somebody got twice, the second time as a follow-up; its answers are answered."""
    await ContactStore(database).save([a_contact(1), a_contact(2)])
    row = {"address": ADDRESS, "address_key": ADDRESS, "message_id": "<ours@example.com>"}
    await a_mass_mail(database, row, {"contact_id": 2, "address": "x", "address_key": "person2@example.org"})
    order = {"order": {"auto_answer": "thanks@1", "account": "marketing"}}
    async with database.write() as connection:
        await connection.execute(update(mass_mail).values(status=order))
        first = (await connection.execute(select(delivery).where(delivery.c.seq == 1))).mappings().one()
        await connection.execute(insert(delivery).values({**first, "stage": 1}))
    return AnswerStore(database, ["office@example.com"])


def a_reply(stage: int = 0, **changes: Any) -> Feedback:
    """From the recipient's own address."""
    incoming = Incoming(**{"sender": ADDRESS, "message_id": "<theirs@example.org>", **changes})
    return Feedback(id="1", kind=Happening.REPLIED, at=NOON, mail=MailRef(1, stage, 1), incoming=incoming)


async def states(database: Database) -> list[tuple[str, str]]:
    async with database.read() as connection:
        rows = await connection.execute(select(automatic_answer.c.state, automatic_answer.c.replied_to))
        return [(row.state, row.replied_to) for row in rows]


async def test_an_answer_is_claimed_once_however_often_and_to_whichever_mail_somebody_writes(
    database: Database, answers: AnswerStore
) -> None:
    for _ in range(2):
        await answers.ask([a_reply(), a_reply(stage=1)])
    due = [each for each in await asyncio.gather(*(answers.claim(NOON) for _ in range(3))) if each]
    (only,) = due
    assert (only.template, only.account, only.replied_to) == ("thanks@1", "marketing", "<theirs@example.org>")
    assert (only.claimed.address, only.claimed.message_id) == (ADDRESS, "<ours@example.com>")
    await answers.record(only.claimed.token, Verdict.ACCEPTED)
    await answers.ask([a_reply(message_id="<again@example.org>")])
    assert await answers.claim(NOON) is None
    assert await states(database) == [("sent", "")]


async def test_what_may_not_be_answered_is_not_asked_for(database: Database, answers: AnswerStore) -> None:
    await answers.ask([a_reply(sender="eve@example.org"), a_reply(from_nobody=True)])
    async with database.write() as connection:
        await connection.execute(update(mass_mail).values(status={"order": {"account": "marketing"}}))
    await answers.ask([a_reply()])
    assert await states(database) == []


async def test_a_claim_that_nobody_tells_the_end_of_is_never_claimed_again(
    database: Database, answers: AnswerStore
) -> None:
    await answers.ask([a_reply()])
    assert await answers.claim(NOON)
    assert await answers.claim(NOON + HALF_A_DAY) is None
    assert [state for state, _ in await states(database)] == ["handing_over"]


async def test_what_was_given_back_is_claimed_again_while_it_is_worth_it(answers: AnswerStore) -> None:
    await answers.ask([a_reply()])
    due = await answers.claim(NOON)
    assert due
    await answers.give_back(due.claimed.token)
    again = await answers.claim(NOON + HALF_A_DAY)
    assert again
    assert again.claimed.token != due.claimed.token
    await answers.give_back(again.claimed.token)
    assert await answers.claim(NOON + WORTH_IT) is None


async def test_one_that_cannot_go_is_tried_once_in_a_run_so_that_the_others_get_theirs(answers: AnswerStore) -> None:
    await answers.ask([a_reply()])
    due = await answers.claim(NOON)
    assert due
    await answers.give_back(due.claimed.token)
    assert await answers.claim(NOON) is None
    assert await answers.claim(NOON + timedelta(minutes=1))


async def test_no_more_than_so_many_go_in_a_day(database: Database, answers: AnswerStore) -> None:
    await answers.ask([a_reply()])
    assert await AnswerStore(database, [], a_day=0).claim(NOON) is None
    assert await answers.claim(NOON)


@pytest.mark.parametrize(("reason", "answered"), [("unsubscribed", True), ("complained", False), ("bounced", False)])
async def test_who_opted_out_is_answered_but_nobody_who_complained(
    database: Database, answers: AnswerStore, reason: str, answered: bool
) -> None:
    entry = {"address_key": ADDRESS, "topic": ALL_TOPICS, "reason": reason, "since": NOON, "source": "m1"}
    async with database.write() as connection:
        await connection.execute(insert(suppression).values(entry))
    await answers.ask([a_reply()])
    assert bool(await answers.claim(NOON)) is answered


async def test_a_contact_with_another_address_by_now_is_not_answered(database: Database, answers: AnswerStore) -> None:
    await answers.ask([a_reply()])
    await ContactStore(database).save([a_contact(1, email="new@example.org")])
    assert await answers.claim(NOON) is None
