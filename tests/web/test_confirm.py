"""Consent is given by the page's button, in time, and never by following a link."""

from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy import select

from serienmail.domain.consent import Purpose
from serienmail.mailing.links import CONSENT, Links, MailRef
from serienmail.storage.consent_requests import ConsentRequestStore, Question
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.tables import contact
from tests.builders import a_contact


async def a_link(database: Database, links: Links, lasts: timedelta = timedelta(days=7)) -> str:
    """Person 1 was asked just now."""
    await ContactStore(database).save([a_contact(1, opt_in=False)])
    question = Question(
        contact_key="1", purpose=Purpose.MASS_MAIL, template="ask@1", account="main", by="anna"
    )
    requests, now = ConsentRequestStore(database), datetime.now(UTC)
    number = await requests.open(question, now, timedelta(days=7))
    await requests.claim(number, now)
    if lasts < timedelta():
        async with database.write() as connection:
            await connection.exec_driver_sql("UPDATE consent_request SET expires_at = asked_at")
    return links.confirm_url(MailRef(number, CONSENT, 0))


async def opted_in(database: Database) -> bool:
    async with database.read() as connection:
        return bool((await connection.execute(select(contact.c.opt_in))).scalar_one())


async def test_following_the_link_asks_and_the_button_confirms_once(
    client: httpx.AsyncClient, database: Database, links: Links
) -> None:
    link = await a_link(database, links)
    asked = await client.get(link)
    assert (asked.status_code, "<button" in asked.text, "p***@example.org" in asked.text) == (200, True, True)
    assert not await opted_in(database)
    for _twice in range(2):
        done = await client.post(link, headers={"Accept-Language": "en"})
        assert (done.status_code, "Your consent is recorded" in done.text) == (200, True)
    assert await opted_in(database)
    assert "<button" not in (await client.get(link)).text


async def test_an_expired_link_says_so_and_confirms_nothing(
    client: httpx.AsyncClient, database: Database, links: Links
) -> None:
    link = await a_link(database, links, lasts=timedelta(days=-1))
    for method in ("GET", "POST"):
        answer = await client.request(method, link)
        assert (answer.status_code, "Link abgelaufen" in answer.text) == (410, True)
        assert "<button" not in answer.text
    assert not await opted_in(database)


async def test_a_token_of_another_kind_or_request_is_not_valid(
    client: httpx.AsyncClient, database: Database, links: Links
) -> None:
    link = await a_link(database, links)
    unsubscribe_token = links.unsubscribe_url(MailRef(1, CONSENT, 0)).removeprefix("/u/")
    for path in ("/c/guessed", f"/c/{unsubscribe_token}", links.confirm_url(MailRef(99, CONSENT, 0)), f"{link}x"):
        assert (await client.post(path)).status_code == 404
    assert not await opted_in(database)
