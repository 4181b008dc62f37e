"""Bounces come in by SMTP and LMTP: only for addresses of ours, and answered when they are stored."""

import asyncio
import smtplib
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from aiosmtpd.lmtp import LMTP
from sqlalchemy import select

from serienmail.domain.errors import EnvironmentFault
from serienmail.domain.feedback import Feedback, Happening
from serienmail.mailing.links import Links, MailRef
from serienmail.settings import Settings
from serienmail.storage.database import Database
from serienmail.storage.feedback import FeedbackStore
from serienmail.storage.tables import delivery, suppression
from tests.mailing.test_bounces import a_bounce
from tests.web.conftest import KEY, a_mass_mail
from web.listener import MOST_BYTES, MOST_CONNECTIONS, MOST_RECIPIENTS, BounceHandler, Listener, serve

DOMAIN = "bounce.example.com"
OURS = Links("", KEY.encode())
VERP = OURS.bounce_address(MailRef(1, 0, 1), DOMAIN)
HARD = a_bounce(returned="")


class Kept:
    """Storage that can be away."""

    def __init__(self) -> None:
        self.news: list[Feedback] = []
        self.away = False

    async def record(self, news: Sequence[Feedback]) -> None:
        if self.away:
            raise OSError("disk full")
        self.news += news


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture(params=["smtp", "lmtp"])
async def listener(request: pytest.FixtureRequest, kept: Kept) -> AsyncIterator[Listener]:
    """Listens on loopback."""
    listener = Listener(BounceHandler(OURS, {DOMAIN}, kept), "127.0.0.1", 0, lmtp=request.param == "lmtp")
    await listener.start()
    yield listener
    await listener.stop()


async def talk(listener: Listener, conversation: Callable[[smtplib.SMTP], Any]) -> Any:
    """What a client of the standard library says and hears."""

    def blocking() -> Any:
        kind = smtplib.LMTP if listener.kind is LMTP else smtplib.SMTP
        with kind("127.0.0.1", listener.port) as client:
            client.ehlo()
            return conversation(client)

    return await asyncio.to_thread(blocking)


def handing_over(data: bytes, *recipients: str) -> Callable[[smtplib.SMTP], Any]:
    def conversation(client: smtplib.SMTP) -> Any:
        client.mail("")
        codes = [client.rcpt(recipient)[0] for recipient in recipients]
        stored = client.data(data)[0]
        if isinstance(client, smtplib.LMTP):
            assert all(client.getreply()[0] == stored for _ in recipients[1:])  # RFC 2033 4.2: one for each recipient
        return (*codes, stored)

    return conversation


async def test_a_bounce_is_taken_and_stored(listener: Listener, kept: Kept) -> None:
    assert await talk(listener, handing_over(HARD, VERP)) == (250, 250)
    (news,) = kept.news
    assert (news.kind, news.mail) == (Happening.BOUNCED, MailRef(1, 0, 1))


@pytest.mark.parametrize(
    "address",
    [
        f"postmaster@{DOMAIN}",
        VERP.replace(DOMAIN, "example.com"),
        "b+b" + "A" * 35 + f"@{DOMAIN}",
        VERP.replace("b+", ""),
        f"x@{DOMAIN}",
    ],
)
async def test_nobody_else_has_a_mailbox_here(listener: Listener, kept: Kept, address: str) -> None:
    def conversation(client: smtplib.SMTP) -> int:
        client.mail("")
        return client.rcpt(address)[0]

    assert await talk(listener, conversation) == 550


async def test_what_cant_be_stored_is_to_be_sent_again(listener: Listener, kept: Kept) -> None:
    kept.away = True
    assert await talk(listener, handing_over(HARD, VERP)) == (250, 451)
    kept.away = False
    assert await talk(listener, handing_over(HARD, VERP)) == (250, 250)
    assert len(kept.news) == 1


async def test_each_recipient_is_told_about_its_own_mail(listener: Listener, kept: Kept) -> None:
    other = OURS.bounce_address(MailRef(1, 0, 2), DOMAIN)
    await talk(listener, handing_over(HARD, VERP, other))
    assert [news.mail for news in kept.news] == [MailRef(1, 0, 1), MailRef(1, 0, 2)]
    assert len({news.id for news in kept.news}) == 2


async def test_too_many_recipients_are_put_off(listener: Listener) -> None:
    def conversation(client: smtplib.SMTP) -> int:
        client.mail("")
        return [client.rcpt(VERP)[0] for _ in range(MOST_RECIPIENTS + 1)][-1]

    assert await talk(listener, conversation) == 452


async def test_a_mail_that_is_too_large_is_refused(listener: Listener) -> None:
    def conversation(client: smtplib.SMTP) -> int:
        return client.mail("", [f"SIZE={MOST_BYTES + 1}"])[0]

    assert await talk(listener, conversation) == 552


async def test_too_many_clients_are_asked_to_come_again(listener: Listener) -> None:
    def blocking() -> bytes:
        address = ("127.0.0.1", listener.port)
        sockets = [socket.create_connection(address, timeout=10) for _ in range(MOST_CONNECTIONS)]
        greetings = [client.recv(100) for client in sockets]
        with socket.create_connection(address, timeout=10) as one_more:
            answer = one_more.recv(100)
        for client in sockets:
            client.close()
        assert all(greeting.startswith(b"220") for greeting in greetings)
        return answer

    assert (await asyncio.to_thread(blocking)).startswith(b"421")


async def test_a_bounce_over_the_wire_suppresses_in_the_database(database: Database) -> None:
    await a_mass_mail(database, {})
    handler = BounceHandler(OURS, {DOMAIN}, FeedbackStore(database, 3))
    listener = Listener(handler, "127.0.0.1", 0)
    await listener.start()
    for _ in range(2):
        assert await talk(listener, handing_over(HARD, VERP)) == (250, 250)
    await listener.stop()
    async with database.read() as connection:
        assert (await connection.execute(select(suppression.c.address_key))).scalars().all() == ["anna@example.org"]
        assert (await connection.execute(select(delivery.c.bounced_at))).scalar_one() is not None


async def test_without_a_bounce_domain_there_is_nothing_to_listen_for() -> None:
    with pytest.raises(EnvironmentFault, match="bounce_domain"):
        await serve(Settings(link_key=KEY), "127.0.0.1", 0, lmtp=False)  # type: ignore[arg-type]
