"""What holds for every answer: headers, small bodies, silent logs, words instead of tracebacks."""

import logging

import httpx
import pytest

from serienmail.mailing.links import Links, MailRef
from serienmail.storage.database import Database
from tests.web.conftest import a_mass_mail
from web.app import MOST_BODY

MAIL = MailRef(number=1, stage=0, seq=1)


def assert_guarded(answer: httpx.Response) -> None:
    """The headers that every answer carries."""
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; ")
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "server" not in answer.headers


async def test_every_answer_carries_the_headers_that_protect_the_reader(
    client: httpx.AsyncClient, database: Database, links: Links
) -> None:
    await a_mass_mail(database, {})
    ours = (links.pixel_url(MAIL), links.link_url(MAIL, 1), links.unsubscribe_url(MAIL))
    for path in (*ours, "/u/guessed", "/health", "/nothing", "/docs"):
        assert_guarded(await client.get(path))


async def test_each_page_allows_its_own_style_and_no_other(
    client: httpx.AsyncClient, database: Database, links: Links
) -> None:
    await a_mass_mail(database, {})
    nonces = set()
    for _twice in range(2):
        answer = await client.get(links.unsubscribe_url(MAIL))
        nonce = answer.text.partition('<style nonce="')[2].partition('"')[0]
        assert f"style-src 'nonce-{nonce}'" in answer.headers["content-security-policy"]
        nonces.add(nonce)
    assert len(nonces) == 2


async def test_a_large_body_is_refused_before_anything_happens(
    client: httpx.AsyncClient, database: Database, links: Links
) -> None:
    await a_mass_mail(database, {})
    answer = await client.post(links.unsubscribe_url(MAIL), content=b"x" * (MOST_BODY + 1))
    assert answer.status_code == 413
    assert_guarded(answer)


async def test_a_failure_is_an_apology_without_details(full: httpx.AsyncClient, links: Links) -> None:
    answer = await full.post(links.unsubscribe_url(MAIL))
    assert answer.status_code == 500
    assert "try again in a few minutes" in answer.text
    assert "disk full" not in answer.text
    assert_guarded(answer)


async def test_access_logs_name_neither_token_nor_reader(
    client: httpx.AsyncClient, links: Links, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="uvicorn.access"):
        await client.get(links.pixel_url(MAIL))
        await client.get(links.unsubscribe_url(MAIL) + "?from=mail")
    lines = [record.getMessage() for record in caplog.records if record.name == "uvicorn.access"]
    assert lines == ['- - "GET /o HTTP/1.1" 200', '- - "GET /u HTTP/1.1" 404']
