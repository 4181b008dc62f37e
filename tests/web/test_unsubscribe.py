"""Unsubscribing by page and by one click, and never by following a link."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from serienmail.mailing.links import Links, MailRef
from serienmail.storage.database import Database
from serienmail.storage.tables import consent, delivery, event, suppression
from tests.web.conftest import a_mass_mail
from web.pages import masked

MAIL = MailRef(number=1, stage=0, seq=1)
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


async def suppressed(database: Database) -> list[str]:
    """The addresses that get no more mail."""
    async with database.read() as connection:
        return list((await connection.execute(select(suppression.c.address_key))).scalars())


async def test_following_the_link_asks_and_changes_nothing(
    client: httpx.AsyncClient, database: Database, links: Links
) -> None:
    await a_mass_mail(database, {})
    answer = await client.get(links.unsubscribe_url(MAIL))
    assert answer.status_code == 200
    assert "<button" in answer.text
    assert "a***@example.org" in answer.text
    assert "anna@" not in answer.text
    assert await suppressed(database) == []


async def test_the_page_s_button_unsubscribes_and_says_so(
    client: httpx.AsyncClient, database: Database, links: Links
) -> None:
    await a_mass_mail(database, {})
    for _twice in range(2):
        answer = await client.post(links.unsubscribe_url(MAIL), headers={"Accept-Language": "en"})
        assert (answer.status_code, "You are unsubscribed" in answer.text) == (200, True)
    assert await suppressed(database) == ["anna@example.org"]
    async with database.read() as connection:
        assert (await connection.execute(select(event.c.kind))).scalars().all() == ["unsubscribed"]


@pytest.mark.parametrize("body", [
    {"data": ONE_CLICK},
    {"files": {name: (None, value) for name, value in ONE_CLICK.items()}},
], ids=["urlencoded", "multipart"])  # fmt: skip
async def test_one_click_unsubscribes_without_cookie_or_redirect(
    client: httpx.AsyncClient, database: Database, links: Links, body: dict[str, Any]
) -> None:
    await a_mass_mail(database, {})
    answer = await client.post(links.unsubscribe_url(MAIL), **body)
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert await suppressed(database) == ["anna@example.org"]


async def test_an_opt_out_stops_what_is_due_and_leaves_what_is_sent(
    client: httpx.AsyncClient, database: Database, links: Links
) -> None:
    in_each_stage = ("sent", "handing_over", "pending", "deferred")
    await a_mass_mail(database, *({"stage": stage, "state": state} for stage, state in enumerate(in_each_stage)))
    await client.post(links.unsubscribe_url(MAIL), data=ONE_CLICK)
    async with database.read() as connection:
        found = (await connection.execute(select(delivery.c.state, delivery.c.reason).order_by(delivery.c.stage))).all()
    assert found == [("sent", ""), ("handing_over", "")] + [("excluded", "unsubscribed")] * 2


async def entries(database: Database) -> list[Any]:
    """The suppression list: address and topic."""
    async with database.read() as connection:
        listed = select(suppression.c.address_key, suppression.c.topic).order_by(suppression.c.topic)
        return list((await connection.execute(listed)).all())


async def test_the_page_of_a_mail_with_a_topic_offers_the_topic_and_all(
    client: httpx.AsyncClient, database: Database, links: Links
) -> None:
    await a_mass_mail(database, {}, topic="Wein & Messen")
    asked = (await client.get(links.unsubscribe_url(MAIL))).text
    assert asked.count("<button") == 2
    assert "Nichts mehr zu „Wein &amp; Messen“" in asked
    one_click = await client.post(links.unsubscribe_url(MAIL), data=ONE_CLICK)
    assert "nichts mehr zu „Wein &amp; Messen“" in one_click.text
    assert await entries(database) == [("anna@example.org", "Wein & Messen")]
    everything = await client.post(f"{links.unsubscribe_url(MAIL)}/all")
    assert "keine Serien-E-Mails mehr." in everything.text
    assert await entries(database) == [("anna@example.org", ""), ("anna@example.org", "Wein & Messen")]


async def test_who_unsubscribed_by_mistake_subscribes_again(
    client: httpx.AsyncClient, database: Database, links: Links
) -> None:
    await a_mass_mail(database, {}, topic="Wein")
    for way in ("", "/all"):
        done = await client.post(f"{links.unsubscribe_url(MAIL)}{way}")
        assert "/again" in done.text
    for _twice in range(2):
        again = await client.post(f"{links.unsubscribe_url(MAIL)}/again", headers={"Accept-Language": "en"})
        assert (again.status_code, "You are subscribed again" in again.text) == (200, True)
    assert await entries(database) == []
    async with database.read() as connection:
        answers = await connection.execute(select(consent.c.given, consent.c.source).order_by(consent.c.id))
        assert [tuple(row) for row in answers] == [(False, "link"), (False, "link"), (True, "link")]


async def test_opening_the_address_of_an_answer_asks_again_and_changes_nothing(
    client: httpx.AsyncClient, database: Database, links: Links
) -> None:
    await a_mass_mail(database, {})
    for way in ("all", "again"):
        answer = await client.get(f"{links.unsubscribe_url(MAIL)}/{way}")
        assert (answer.status_code, "<button" in answer.text) == (200, True)
    assert await entries(database) == []


async def test_a_bad_token_is_a_page_with_one_sentence(
    client: httpx.AsyncClient, database: Database, links: Links
) -> None:
    await a_mass_mail(database, {})
    pixel_token = links.pixel_url(MAIL).removeprefix("/o/").removesuffix(".gif")
    for path in ("/u/guessed", f"/u/{pixel_token}", links.unsubscribe_url(MailRef(1, 0, 99)), "/u/guessed/all"):
        for method in ("GET", "POST"):
            answer = await client.request(method, path, headers={"Accept-Language": "de"})
            assert answer.status_code == 404
            assert "bitte öffnen Sie ihn noch einmal aus der E-Mail." in answer.text
            assert "<form" not in answer.text
    assert await suppressed(database) == []


@pytest.mark.parametrize(("wish", "language"), [
    ("de-AT,de;q=0.9,en;q=0.8", "de"), ("en-GB,de;q=0.5", "en"), ("fr,en;q=0.7", "en"), ("fr", "de"), ("", "de"),
])  # fmt: skip
async def test_the_page_speaks_the_reader_s_language(client: httpx.AsyncClient, wish: str, language: str) -> None:
    answer = await client.get("/u/guessed", headers={"Accept-Language": wish})
    assert f'<html lang="{language}">' in answer.text


def test_a_masked_address_keeps_one_letter_and_the_domain() -> None:
    assert masked("anna@example.org") == "a***@example.org"
    assert masked("ü@example.org") == "ü***@example.org"


@pytest.mark.parametrize(
    ("way", "allowed"), [("", "GET, HEAD, POST"), ("/all", "GET, HEAD, POST"), ("/again", "GET, HEAD, POST")]
)
async def test_another_method_is_told_all_that_are_answered(
    client: httpx.AsyncClient, links: Links, way: str, allowed: str
) -> None:
    answer = await client.put(links.unsubscribe_url(MAIL) + way)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
