"""Bounces, complaints and reports: kept once, matched by proof alone, and carried out in the same transaction."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from serienmail.domain.delivery import MailRef
from serienmail.domain.feedback import Feedback, Happening, Severity
from serienmail.storage.database import Database
from serienmail.storage.feedback import LONGEST_DETAIL, MOST_OF_ONE_MAIL, FeedbackStore
from serienmail.storage.tables import consent, delivery, event, feedback, mass_mail, suppression
from tests.builders import NOON

ANNA = "anna@example.org"
FIRST = MailRef(1, 0, 1)


@pytest.fixture
async def store(database: Database) -> FeedbackStore:
    """Four mass mails, numbered from 1, each with one mail to Anna: the first three sent, the last one due."""
    async with database.write() as connection:
        for number in range(1, 5):
            await connection.execute(insert(mass_mail).values(
                id=f"m{number}", number=number, name="Herbst", created_by="anna", status={}, version=0, state="sending",
                created_at=NOON))  # fmt: skip
            await connection.execute(insert(delivery).values(
                mass_mail_id=f"m{number}", stage=0, seq=1, contact_id=1, address="Anna@example.org", address_key=ANNA,
                state="sent" if number < 4 else "pending", reason="", epoch=1, template="", tracked=False,
                doubted=False, attempts=0, reply="", message_id=""))  # fmt: skip
    return FeedbackStore(database, patience=3)


def news(kind: Happening = Happening.BOUNCED, **changes: Any) -> Feedback:
    """A hard bounce of the first mail, unless told otherwise."""
    severity = Severity.HARD if kind is Happening.BOUNCED else None
    return Feedback(**{"id": "1", "kind": kind, "at": NOON, "mail": FIRST, "severity": severity, **changes})


async def rows(database: Database, table: Any) -> list[Any]:
    async with database.read() as connection:
        return list((await connection.execute(select(table).order_by(*table.primary_key))).all())


async def states(database: Database) -> list[str]:
    return [f"{row.state}:{row.reason}" for row in await rows(database, delivery)]


async def test_a_hard_bounce_suppresses_and_excludes_what_is_due(database: Database, store: FeedbackStore) -> None:
    await store.record([news(detail="550 5.1.1 unknown")])
    (entry,) = await rows(database, suppression)
    assert (entry.address_key, entry.reason, entry.source) == (ANNA, "bounced", "m1")
    assert await states(database) == ["sent:", "sent:", "sent:", "excluded:suppressed"]
    assert (await rows(database, delivery))[0].bounced_at == NOON
    assert [(row.kind, row.detail) for row in await rows(database, event)] == [("bounced", "hard")]
    assert [row.detail for row in await rows(database, feedback)] == ["550 5.1.1 unknown"]


async def test_the_same_news_twice_is_news_once(database: Database, store: FeedbackStore) -> None:
    await store.record([news(), news(at=NOON + timedelta(hours=1))])
    await store.record([news()])
    assert len(await rows(database, event)) == len(await rows(database, feedback)) == 1


@pytest.mark.parametrize("mail", [None, MailRef(1, 0, 2), MailRef(9, 0, 1), MailRef(1, 255, 1)])
async def test_what_is_about_no_mail_of_ours_is_kept_and_changes_nothing(
    database: Database, store: FeedbackStore, mail: MailRef | None
) -> None:
    await store.record([news(mail=mail)])
    (kept,) = await rows(database, feedback)
    assert kept.mass_mail_id is None
    assert await rows(database, suppression) == await rows(database, event) == []
    assert await states(database) == ["sent:", "sent:", "sent:", "pending:"]


async def test_soft_bounces_of_three_mass_mails_suppress(database: Database, store: FeedbackStore) -> None:
    async def bounces(mass_mail: int, id: str) -> None:
        await store.record([news(id=id, mail=MailRef(mass_mail, 0, 1), severity=Severity.SOFT)])

    await bounces(1, "a")
    await bounces(1, "b")
    await bounces(2, "c")
    assert await rows(database, suppression) == []
    await bounces(3, "d")
    assert [row.reason for row in await rows(database, suppression)] == ["bounced"]


async def test_soft_bounces_of_last_year_are_forgotten(database: Database, store: FeedbackStore) -> None:
    for number in (1, 2, 3):
        at = NOON if number == 3 else NOON - timedelta(days=200)
        await store.record([news(id=str(number), at=at, mail=MailRef(number, 0, 1), severity=Severity.SOFT)])
    assert await rows(database, suppression) == []


async def test_a_complaint_suppresses_and_shows_on_the_mail(database: Database, store: FeedbackStore) -> None:
    await store.record([news(Happening.COMPLAINED)])
    assert [row.reason for row in await rows(database, suppression)] == ["complained"]
    assert (await rows(database, delivery))[0].complained_at == NOON


async def test_an_opt_out_by_the_provider_is_proved_like_any_other(database: Database, store: FeedbackStore) -> None:
    await store.record([news(Happening.UNSUBSCRIBED)])
    (answer,) = await rows(database, consent)
    assert (answer.address_key, answer.given, answer.source) == (ANNA, False, "provider")
    assert (await states(database))[3] == "excluded:unsubscribed"


@pytest.mark.parametrize("kind", [Happening.BOUNCED, Happening.DELIVERED, Happening.COMPLAINED, Happening.DEFERRED])
@pytest.mark.parametrize("state", ["unknown", "pending", "deferred"])
async def test_reports_settle_a_mail_in_doubt(
    database: Database, store: FeedbackStore, kind: Happening, state: str
) -> None:
    async with database.write() as connection:
        doubt = delivery.update().where(delivery.c.mass_mail_id == "m1").values(state=state, doubted=True)
        await connection.execute(doubt)
    await store.record([news(kind)])
    assert (await states(database))[0] == "sent:"


async def test_an_open_that_a_provider_reports_is_kept_and_counts_nowhere(
    database: Database, store: FeedbackStore
) -> None:
    await store.record([news(Happening.OPENED)])
    assert (await rows(database, delivery))[0].opened_at is None
    assert await rows(database, event) == []
    assert len(await rows(database, feedback)) == 1


async def test_one_mail_brings_a_hundred_things_at_most_and_each_is_short(
    database: Database, store: FeedbackStore
) -> None:
    long = "x\0" * LONGEST_DETAIL
    await store.record([news(Happening.DEFERRED, id=str(n), detail=long) for n in range(MOST_OF_ONE_MAIL + 5)])
    kept = await rows(database, feedback)
    assert len(kept) == MOST_OF_ONE_MAIL
    assert len(kept[0].detail) == LONGEST_DETAIL


@pytest.mark.parametrize(("stop", "due"), [(True, "excluded:replied"), (False, "pending:")])
async def test_an_answer_excludes_a_follow_up_that_is_loaded_already_if_the_order_says_so(
    database: Database, store: FeedbackStore, stop: bool, due: str
) -> None:
    async with database.write() as connection:
        first = update(mass_mail).where(mass_mail.c.id == "m1")
        await connection.execute(first.values(status={"order": {"stop_on_reply": stop}}))
        copied = select(delivery).where(delivery.c.mass_mail_id == "m1")
        row = dict((await connection.execute(copied)).mappings().one())
        for seq, contact in ((1, 1), (2, 2)):  # another person's stays
            theirs = {"stage": 1, "seq": seq, "contact_id": contact, "address_key": f"{contact}", "state": "pending"}
            await connection.execute(insert(delivery).values(row | theirs))
    await store.record([news(Happening.REPLIED)])
    # the mail that was answered, its follow-ups to that person and to another one, and other mass mails
    assert await states(database) == ["sent:", due, "pending:", "sent:", "sent:", "pending:"]


async def test_what_matches_no_mail_is_kept_for_some_days_alone(database: Database, store: FeedbackStore) -> None:
    unmatched = [news(id=f"u{day}", mail=None, at=NOON + timedelta(days=day)) for day in (0, 1, 31)]
    await store.record([news(), *unmatched])
    assert [row.id for row in await rows(database, feedback)] == ["1", "u1", "u31"]
