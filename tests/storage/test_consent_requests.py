"""Each request for consent is handed over at most once, and only its own address can confirm it, in time."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from serienmail.domain.consent import Purpose, Standing
from serienmail.domain.delivery import HAND_OVER_LIMIT, Verdict
from serienmail.domain.errors import AlreadyExists, CommandRefused, NotFound, RequestInHand, SerienmailError
from serienmail.domain.suppression import AddressHash, Suppression, SuppressionReason
from serienmail.storage.consent_requests import ConsentRequestStore, DueRequest, Question
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.suppressions import SuppressionStore
from serienmail.storage.tables import consent, contact, suppression
from tests.builders import NOON, a_contact

WEEK = timedelta(days=7)
HASH = AddressHash(b"k" * 32)


def a_question(key: str = "1", purpose: Purpose = Purpose.MASS_MAIL) -> Question:
    return Question(contact_key=key, purpose=purpose, template="ask@1", account="main", by="anna")


@pytest.fixture
async def requests(database: Database) -> ConsentRequestStore:
    """Somebody with an address and without consent, somebody with one, somebody without address."""
    people = [a_contact(1, opt_in=False, tracking=False), a_contact(2), a_contact(3, email="", opt_in=False)]
    await ContactStore(database).save(people)
    return ConsentRequestStore(database)


async def test_a_request_is_claimed_once_and_not_asked_again_while_its_link_is_good(
    requests: ConsentRequestStore,
) -> None:
    number = await requests.open(a_question(), NOON, WEEK)
    assert await requests.open(a_question(), NOON, WEEK) == number  # its client died before its workflow began
    due = await asyncio.gather(*(requests.claim(number, NOON) for _ in range(3)), return_exceptions=True)
    assert [one.claimed.address for one in due if isinstance(one, DueRequest)] == ["person1@example.org"]
    assert sum(isinstance(one, RequestInHand) for one in due) == 2
    with pytest.raises(AlreadyExists, match="good until 2026-03-09 12:00 UTC"):
        await requests.open(a_question(), NOON, WEEK)
    assert await requests.open(a_question(purpose=Purpose.TRACKING), NOON, WEEK) != number
    assert await requests.open(a_question(), NOON + WEEK, WEEK) != number


async def test_a_request_given_back_is_claimed_again_until_it_expires(requests: ConsentRequestStore) -> None:
    number = await requests.open(a_question(), NOON, WEEK)
    assert await requests.claim(number, NOON)
    await requests.give_back(number)
    assert await requests.claim(number, NOON)
    await requests.give_back(number)
    assert await requests.claim(number, NOON + WEEK) is None


async def test_a_request_whose_process_died_is_claimed_once_more_and_no_third_time(
    requests: ConsentRequestStore,
) -> None:
    number = await requests.open(a_question(), NOON, WEEK)
    assert await requests.claim(number, NOON)
    with pytest.raises(RequestInHand):
        await requests.claim(number, NOON + HAND_OVER_LIMIT - timedelta(seconds=1))
    again = await requests.claim(number, NOON + HAND_OVER_LIMIT)
    assert again is not None
    assert again.claimed.dated_at == NOON  # the same mail, should it have arrived
    assert await requests.claim(number, NOON + 2 * HAND_OVER_LIMIT) is None


@pytest.mark.parametrize("verdict", [Verdict.ACCEPTED, Verdict.REJECTED, Verdict.IN_DOUBT])
async def test_a_request_that_has_an_answer_is_never_claimed_again(
    requests: ConsentRequestStore, verdict: Verdict
) -> None:
    number = await requests.open(a_question(), NOON, WEEK)
    await requests.claim(number, NOON)
    await requests.record(number, verdict)
    assert await requests.claim(number, NOON + HAND_OVER_LIMIT) is None


@pytest.mark.parametrize(("key", "error", "says"), [
    ("2", CommandRefused, "consented already"), ("3", CommandRefused, "no usable mail address"), ("9", NotFound, "'9'"),
])  # fmt: skip
async def test_who_need_not_or_cannot_be_asked_is_not(
    requests: ConsentRequestStore, key: str, error: type[SerienmailError], says: str
) -> None:
    with pytest.raises(error, match=says):
        await requests.open(a_question(key), NOON, WEEK)


async def on_list(database: Database, number: int, reason: SuppressionReason) -> None:
    entry = Suppression(address_key=f"person{number}@example.org", reason=reason, since=NOON)
    await SuppressionStore(database, HASH).add([entry], NOON)


async def test_who_is_suppressed_is_asked_only_after_an_opt_out_of_their_own(
    database: Database, requests: ConsentRequestStore
) -> None:
    await on_list(database, 1, SuppressionReason.COMPLAINED)
    with pytest.raises(CommandRefused, match="on the suppression list"):
        await requests.open(a_question(), NOON, WEEK)
    await on_list(database, 2, SuppressionReason.UNSUBSCRIBED)
    number = await requests.open(a_question("2"), NOON, WEEK)
    await requests.claim(number, NOON)
    await requests.confirm(number, NOON)
    async with database.read() as connection:
        assert (await connection.execute(select(suppression.c.address_key))).scalars().all() == ["person1@example.org"]


async def answers(database: Database) -> list[Any]:
    """The current answer of contact 1, and the record of hers."""
    async with database.read() as connection:
        current = (await connection.execute(select(contact.c.opt_in).where(contact.c.key == "1"))).scalar_one()
        mine = select(consent.c.given, consent.c.source, consent.c.proof).where(consent.c.contact_key == "1")
        return [current, *(tuple(row) for row in await connection.execute(mine))]


async def test_a_confirmation_counts_once_with_its_proof(database: Database, requests: ConsentRequestStore) -> None:
    number = await requests.open(a_question(), NOON, WEEK)
    await requests.claim(number, NOON)
    await requests.record(number, Verdict.ACCEPTED)
    for at in (NOON, NOON + WEEK):
        asked = await requests.confirm(number, at)
        assert asked is not None and asked.standing(at) is Standing.CONFIRMED
    proof = f"request {number}, ask@1, sent 2026-03-02 12:00 UTC"
    assert await answers(database) == [True, (True, "double_opt_in", proof)]


async def test_an_expired_link_confirms_nothing(database: Database, requests: ConsentRequestStore) -> None:
    number = await requests.open(a_question(), NOON, WEEK)
    await requests.claim(number, NOON)
    asked = await requests.confirm(number, NOON + WEEK)
    assert asked is not None and asked.standing(NOON + WEEK) is Standing.EXPIRED
    assert await answers(database) == [False]


async def test_a_contact_with_another_address_by_now_has_not_confirmed_that(
    database: Database, requests: ConsentRequestStore
) -> None:
    number = await requests.open(a_question(), NOON, WEEK)
    await ContactStore(database).save([a_contact(1, email="new@example.org", opt_in=False, tracking=False)])
    assert await requests.claim(number, NOON) is None
    assert await requests.find(number) is None
    assert await requests.confirm(number, NOON) is None
    assert await answers(database) == [False]
