"""The pixel records opens and tells nothing."""

from collections.abc import Sequence
from typing import Any

import httpx
from sqlalchemy import select

from serienmail.mailing.links import Links, MailRef
from serienmail.storage.database import Database
from serienmail.storage.tables import delivery, event
from tests.web.conftest import a_mass_mail
from web.pixel import GIF

MAIL = MailRef(number=1, stage=0, seq=1)


async def events(database: Database) -> Sequence[Any]:
    """What was recorded."""
    async with database.read() as connection:
        return (await connection.execute(select(event.c.kind, event.c.seq))).all()


async def test_loading_the_pixel_records_the_open(client: httpx.AsyncClient, database: Database, links: Links) -> None:
    await a_mass_mail(database, {})
    answer = await client.get(links.pixel_url(MAIL))
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, GIF, "image/gif")
    assert await events(database) == [("opened", 1)]
    async with database.read() as connection:
        assert (await connection.execute(select(delivery.c.opened_at))).scalar_one() is not None


async def test_a_head_request_records_nothing(client: httpx.AsyncClient, database: Database, links: Links) -> None:
    await a_mass_mail(database, {})
    answer = await client.head(links.pixel_url(MAIL))
    assert (answer.status_code, answer.content) == (200, b"")
    assert await events(database) == []


async def test_every_token_gets_the_same_answer(client: httpx.AsyncClient, database: Database, links: Links) -> None:
    await a_mass_mail(database, {}, {"tracked": False, "address_key": "b@example.org"})
    good = await client.get(links.pixel_url(MAIL))
    unsubscribe_token = links.unsubscribe_url(MAIL).removeprefix("/u/")
    for path in (
        links.pixel_url(MailRef(1, 0, 2)), links.pixel_url(MailRef(9, 0, 1)), "/o/guessed.gif",
        f"/o/{unsubscribe_token}.gif",
    ):  # fmt: skip
        answer = await client.get(path)
        assert (answer.status_code, answer.content) == (200, GIF)
        assert answer.headers.keys() == good.headers.keys()
    assert await events(database) == [("opened", 1)]


async def test_a_mail_shows_no_broken_picture_when_storage_fails(broken: httpx.AsyncClient, links: Links) -> None:
    answer = await broken.get(links.pixel_url(MAIL))
    assert (answer.status_code, answer.content) == (200, GIF)
