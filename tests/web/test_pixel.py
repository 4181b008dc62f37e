"""The pixel keeps visits and tells nothing."""

from collections.abc import Sequence
from typing import Any

import httpx
from sqlalchemy import select

from serienmail.mailing.links import Links, MailRef
from serienmail.storage.database import Database
from serienmail.storage.tables import delivery, visit
from tests.web.conftest import a_mass_mail
from web.pixel import GIF

MAIL = MailRef(number=1, stage=0, seq=1)


async def visits(database: Database) -> Sequence[Any]:
    """What is kept."""
    async with database.read() as connection:
        rows = await connection.execute(select(visit.c.seq, visit.c.link, visit.c.method, visit.c.agent))
        return [tuple(row) for row in rows]


async def test_loading_the_pixel_is_kept_and_says_nothing_yet(
    client: httpx.AsyncClient, database: Database, links: Links
) -> None:
    await a_mass_mail(database, {})
    answer = await client.get(links.pixel_url(MAIL), headers={"User-Agent": "Firefox"})
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, GIF, "image/gif")
    assert await visits(database) == [(1, 0, "GET", "Firefox")]
    async with database.read() as connection:
        assert (await connection.execute(select(delivery.c.opened_at))).scalar_one() is None


async def test_of_whoever_came_nothing_is_kept_that_names_them(
    client: httpx.AsyncClient, database: Database, links: Links
) -> None:
    await a_mass_mail(database, {})
    await client.get(links.pixel_url(MAIL))
    async with database.read() as connection:
        (kept,) = (await connection.execute(select(visit))).mappings().all()
    assert len(kept["network"]) == 32
    assert "127.0.0" not in str(dict(kept))


async def test_a_head_request_is_kept_as_what_it_is(
    client: httpx.AsyncClient, database: Database, links: Links
) -> None:
    await a_mass_mail(database, {})
    answer = await client.head(links.pixel_url(MAIL), headers={"User-Agent": "x"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert await visits(database) == [(1, 0, "HEAD", "x")]


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
    assert [seq for seq, *_ in await visits(database)] == [1]


async def test_a_mail_shows_no_broken_picture_when_nothing_can_be_kept(full: httpx.AsyncClient, links: Links) -> None:
    answer = await full.get(links.pixel_url(MAIL))
    assert (answer.status_code, answer.content) == (200, GIF)
