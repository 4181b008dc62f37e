"""A mailbox is read from where it was read to, and stays as it is."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from serienmail.domain.errors import AccountRefused, NotFound, ServerUnreachable
from serienmail.domain.feedback import Happening
from serienmail.domain.mailbox import Position
from serienmail.mailing.mailbox import AT_ONCE, MailboxReader
from tests.builders import NOON
from tests.mailing.imap_server import ImapServer, an_imap_server
from tests.mailing.test_bounces import LINKS, MESSAGE_ID, REF, a_bounce, a_mail

PRIVATE = a_mail("From: anna@example.org", "Message-ID: <p@example.org>", "Subject: Lunch?")
REPLY = a_mail("From: anna@example.org", "Message-ID: <r@example.org>", f"In-Reply-To: {MESSAGE_ID}")
START = Position()


@pytest.fixture
async def server() -> AsyncIterator[ImapServer]:
    """With an empty mailbox."""
    async with an_imap_server() as server:
        yield server


def a_reader(server: ImapServer) -> MailboxReader:
    return MailboxReader({"office": server.mailbox}, LINKS)


async def test_bounces_and_replies_are_news_and_other_peoples_mail_is_none(server: ImapServer) -> None:
    for mail in (PRIVATE, a_bounce(), REPLY):
        server.add(mail)
    batch = await a_reader(server).read("office", START, NOON)
    assert [(news.kind, news.mail) for news in batch.news] == [(Happening.BOUNCED, REF), (Happening.REPLIED, REF)]
    assert (batch.position, batch.more) == (Position(1, 3), False)


async def test_reading_marks_nothing_as_read(server: ImapServer) -> None:
    server.add(REPLY)
    await a_reader(server).read("office", START, NOON)
    assert not any(command.startswith(("SELECT", "UID STORE")) for command in server.commands)


async def test_reading_goes_on_where_it_ended(server: ImapServer) -> None:
    server.add(REPLY)
    reader = a_reader(server)
    position = (await reader.read("office", START, NOON)).position
    assert (await reader.read("office", position, NOON)).news == []
    server.add(a_bounce())
    batch = await reader.read("office", position, NOON)
    assert [news.kind for news in batch.news] == [Happening.BOUNCED]


async def test_a_large_mailbox_is_read_in_batches(server: ImapServer) -> None:
    for _ in range(AT_ONCE + 1):
        server.add(PRIVATE)
    reader = a_reader(server)
    batch = await reader.read("office", START, NOON)
    assert (batch.position.uid, batch.more) == (AT_ONCE, True)
    assert not (await reader.read("office", batch.position, NOON)).more


async def test_a_mailbox_that_was_numbered_anew_is_read_from_the_beginning(server: ImapServer) -> None:
    server.add(REPLY)
    server.uid_validity = 2
    batch = await a_reader(server).read("office", Position(1, 50), NOON)
    assert (len(batch.news), batch.position) == (1, Position(2, 1))


async def test_an_empty_mailbox_is_no_trouble(server: ImapServer) -> None:
    assert (await a_reader(server).read("office", START, NOON)).position == Position(1, 0)


async def test_a_connection_that_breaks_is_tried_again(server: ImapServer) -> None:
    for _ in range(3):
        server.add(REPLY)
    server.hang_up_after = 1
    with pytest.raises(ServerUnreachable):
        await a_reader(server).read("office", START, NOON)


async def test_a_wrong_password_is_the_administrators_business(server: ImapServer) -> None:
    wrong = server.mailbox.model_copy(update={"password": SecretStr("guess")})
    with pytest.raises(AccountRefused):
        await MailboxReader({"office": wrong}, LINKS).read("office", START, NOON)


async def test_a_mailbox_nobody_knows_is_refused() -> None:
    with pytest.raises(NotFound, match="office"):
        await MailboxReader({}, LINKS).read("office", START, NOON)
