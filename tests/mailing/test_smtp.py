"""Handing mails to a real mail server, well-behaved and otherwise."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from serienmail.domain.errors import AccountRefused, ServerUnreachable
from serienmail.mailing.account import Account
from serienmail.mailing.message import Mail
from serienmail.mailing.replies import IN_DOUBT, InDoubt, Phase, Reply
from serienmail.mailing.session import Timeouts
from serienmail.mailing.smtp import SmtpTransport
from tests.mailing.smtp_server import HANG_UP, SILENCE, Server, listening

MAIL = Mail("crm@example.com", "anna@example.org", b"Subject: Hallo\r\n\r\nGuten Tag\r\n", smtputf8=False)


@asynccontextmanager
async def connected(server: Server, **account: Any) -> AsyncIterator[SmtpTransport]:
    async with listening(server) as port, transport_to(port, **account) as transport:
        yield transport


@asynccontextmanager
async def transport_to(port: int, **account: Any) -> AsyncIterator[SmtpTransport]:
    settings = Account(host="127.0.0.1", port=port, from_address="crm@example.com", **account)
    transport = SmtpTransport(settings, lambda: settings.limits, Timeouts(command=2, data=2, answer=0.2))
    try:
        yield transport
    finally:
        await transport.close()


async def sent_to(server: Server) -> Reply | InDoubt:
    async with connected(server) as transport:
        return await transport.send(MAIL)


async def test_an_accepted_mail_brings_the_servers_last_answer() -> None:
    server = Server()
    assert await sent_to(server) == Reply(Phase.DOT, 250, "2.0.0 queued")
    assert [(mail.mail_from, mail.rcpt_tos) for mail in server.accepted] == [(MAIL.sender, [MAIL.recipient])]


async def test_a_message_arrives_byte_for_byte_whatever_its_lines_look_like() -> None:
    data = b"Subject: x\r\n\r\n.\r\n..\r\n.dot\r\n\r\n" + b"a" * 998 + b"\r\n.\r\nend\r\n"
    server = Server()
    async with connected(server) as transport:
        await transport.send(Mail(MAIL.sender, MAIL.recipient, data, smtputf8=False))
    assert server.accepted[0].original_content == data


@pytest.mark.parametrize(
    ("phase", "answer"),
    [
        ("mail", "451 4.3.0 later"),
        ("rcpt", "451 4.7.1 greylisted"),
        ("rcpt", "550 5.1.1 no such user"),
        ("data", "451 4.3.0 later"),
        ("data", "554 5.7.1 no"),
        ("dot", "451 4.3.0 later"),
        ("dot", "554 5.6.0 no"),
        ("rcpt", "421 4.3.2 closing"),
    ],
)
async def test_a_refusal_is_a_value_with_the_phase_it_came_in(phase: str, answer: str) -> None:
    reply = await sent_to(Server(**{phase: answer}))
    assert isinstance(reply, Reply)
    assert (reply.phase, f"{reply.code} {reply.text}") == (phase, answer)


@pytest.mark.parametrize(
    "answers",
    [{"dot": HANG_UP}, {"dot": SILENCE}, {"data": HANG_UP}, {"dot": "nonsense"}, {"dot": "354 go on"}],
    ids=str,
)
async def test_a_written_message_without_an_answer_is_in_doubt(answers: dict[str, str]) -> None:
    assert await sent_to(Server(**answers)) is IN_DOUBT


@pytest.mark.parametrize(
    "answers",
    [
        {"connect": "421 4.3.2 too busy"},
        {"connect": "554 5.3.2 no"},
        {"connect": HANG_UP},
        {"mail": HANG_UP},
        {"rcpt": HANG_UP},
        {"mail": "nonsense"},
        {"data": "250 that is no answer to DATA"},
    ],
    ids=str,
)
async def test_a_failure_before_the_message_means_that_nothing_was_handed_over(answers: dict[str, str]) -> None:
    with pytest.raises(ServerUnreachable):
        await sent_to(Server(**answers))


async def test_a_server_that_is_silent_before_the_message_is_unreachable() -> None:
    async with listening(Server(rcpt=SILENCE)) as port:
        account = Account(host="127.0.0.1", port=port, from_address="crm@example.com")
        with pytest.raises(ServerUnreachable):
            await SmtpTransport(account, lambda: account.limits, Timeouts(command=0.2)).send(MAIL)


async def test_a_refused_connection_is_unreachable() -> None:
    async with listening(Server()) as port:
        pass
    async with transport_to(port) as transport:
        with pytest.raises(ServerUnreachable):
            await transport.send(MAIL)


async def test_a_wrong_password_blames_the_account_and_quotes_nobody() -> None:
    async with listening(Server(), login=("crm", "right")) as port:
        async with transport_to(port, username="crm", password=SecretStr("wrong")) as transport:
            with pytest.raises(AccountRefused, match=r"^the mail server refused the log-in \(535\)"):
                await transport.send(MAIL)
        async with transport_to(port, username="crm", password=SecretStr("right")) as transport:
            assert await transport.send(MAIL) == Reply(Phase.DOT, 250, "2.0.0 queued")


async def test_a_server_without_the_tls_that_the_account_asks_for_is_the_accounts_fault() -> None:
    async with connected(Server(), tls="starttls") as transport:
        with pytest.raises(AccountRefused):
            await transport.send(MAIL)
    async with connected(Server(), tls="implicit") as transport:
        with pytest.raises(AccountRefused):
            await transport.send(MAIL)


async def test_a_refused_sender_is_the_accounts_fault_and_its_text_stays_out_of_the_exception() -> None:
    server = Server(mail="550 5.7.1 <crm@example.com> may not send here")
    with pytest.raises(AccountRefused) as refusal:
        await sent_to(server)
    assert "example.com" not in str(refusal.value)


async def test_connections_are_reused_until_they_have_carried_their_share() -> None:
    server = Server()
    async with connected(server, mails_per_connection=3) as transport:
        for _ in range(7):
            await transport.send(MAIL)
    assert (len(server.accepted), server.connections) == (7, 3)


async def test_connections_beyond_what_the_account_allows_now_are_closed_once_their_mail_is_out() -> None:
    server = Server()
    async with connected(server, connections=2) as transport:
        await asyncio.gather(*(transport.send(MAIL) for _ in range(5)))
        await transport.send(MAIL)
        await asyncio.gather(*(transport.send(MAIL) for _ in range(2)))
        assert (len(server.accepted), server.connections) == (8, 5)


async def test_a_connection_goes_on_with_a_clean_slate_after_a_refusal() -> None:
    server = Server(rcpt="550 5.1.1 no such user")
    async with connected(server) as transport:
        await transport.send(MAIL)
        server.answers.clear()
        assert await transport.send(MAIL) == Reply(Phase.DOT, 250, "2.0.0 queued")
    assert server.connections == 1
    assert server.commands == ["connect", "mail", "rcpt", "rset", "mail", "rcpt", "dot"]


async def test_a_connection_that_the_server_closed_meanwhile_is_replaced() -> None:
    server = Server(dot="421 4.3.2 enough")
    async with connected(server) as transport:
        assert await transport.send(MAIL) == Reply(Phase.DOT, 421, "4.3.2 enough")
        server.answers.clear()
        assert await transport.send(MAIL) == Reply(Phase.DOT, 250, "2.0.0 queued")
    assert server.connections == 2


async def test_a_cancelled_mail_closes_its_connection_and_frees_its_place() -> None:
    server = Server(rcpt=SILENCE)
    async with connected(server, connections=1) as transport:
        sending = asyncio.create_task(transport.send(MAIL))
        await server.reached_rcpt.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        server.answers.clear()
        assert await transport.send(MAIL) == Reply(Phase.DOT, 250, "2.0.0 queued")
    assert server.connections == 2


@pytest.mark.parametrize("offered", [True, False])
async def test_an_address_in_utf8_goes_only_where_the_server_takes_it(offered: bool) -> None:
    server = Server()
    mail = Mail(MAIL.sender, "jürgen@example.org", MAIL.data, smtputf8=True)
    async with listening(server, smtputf8=offered) as port, transport_to(port) as transport:
        reply = await transport.send(mail)
    assert isinstance(reply, Reply)
    assert f"{reply.code} {reply.text}".startswith("250 2.0.0" if offered else "553 5.6.7")
    assert [envelope.rcpt_tos for envelope in server.accepted] == ([["jürgen@example.org"]] if offered else [])
