"""The same conversation with a server that takes chunks: a mail is one write, and its answers come together."""

import asyncio

import pytest

from serienmail.domain.errors import ServerUnreachable
from serienmail.mailing import session
from serienmail.mailing.message import Mail
from serienmail.mailing.replies import IN_DOUBT, Phase, Reply
from serienmail.mailing.session import Timeouts
from serienmail.mailing.smtp import SmtpTransport
from tests.mailing.scripted_server import DATA, MAIL, QUEUED, Act, Says, ScriptedServer, connected, sent_to
from tests.postfix import Postfix
from tests.world import an_account

CHUNKING = ("PIPELINING", "CHUNKING")
REFUSED_MAIL, REFUSED_RCPT = b"451 4.3.0 later\r\n", b"550 5.1.1 nobody\r\n"
NO_RECIPIENT = b"503 5.5.1 no recipient\r\n"


def of_size(size: int) -> Mail:
    return Mail(MAIL.sender, MAIL.recipient, (b".\r\n." * size)[: size - 2] + b"\r\n", smtputf8=False)


async def test_a_mail_is_one_write() -> None:
    server = ScriptedServer(*CHUNKING)
    assert await sent_to(server) == QUEUED
    envelope = b"MAIL FROM:<crm@example.com>\r\nRCPT TO:<anna@example.org>\r\n"
    assert server.packets[1] == envelope + b"BDAT %d LAST\r\n" % len(DATA) + DATA


@pytest.mark.parametrize("offers", [("CHUNKING",), ("PIPELINING",), ()], ids=str)
async def test_who_can_t_pipeline_or_takes_no_chunks_gets_data(offers: tuple[str, ...]) -> None:
    server = ScriptedServer(*offers)
    assert await sent_to(server) == QUEUED
    assert "DATA" in server.commands


async def test_an_account_can_be_told_to_leave_chunks_alone() -> None:
    server = ScriptedServer(*CHUNKING)
    async with connected(server, chunking=False) as transport:
        assert await transport.send(MAIL) == QUEUED
    assert "DATA" in server.commands


@pytest.mark.parametrize("size", [2, 3, 10, 1_000, 65_535, 65_536])
async def test_a_message_arrives_as_it_is_whatever_dots_it_has(size: int) -> None:
    server = ScriptedServer(*CHUNKING)
    mail = of_size(size)
    assert await sent_to(server, mail) == QUEUED
    assert server.messages == [mail.data]


async def test_a_message_always_ends_with_its_line() -> None:
    server = ScriptedServer(*CHUNKING)
    assert await sent_to(server, Mail(MAIL.sender, MAIL.recipient, b"Subject: x\r\n\r\nx", smtputf8=False)) == QUEUED
    assert server.messages == [b"Subject: x\r\n\r\nx\r\n"]


async def test_a_large_message_goes_with_data_so_that_losing_it_halfway_leaves_no_doubt() -> None:
    server = ScriptedServer(*CHUNKING, message=Act.HANG_UP)
    with pytest.raises(ServerUnreachable):
        await sent_to(server, of_size(5_000_000))
    assert "DATA" in server.commands


@pytest.mark.parametrize(
    ("script", "reply"),
    [
        ({"rcpt": REFUSED_RCPT, "dot": NO_RECIPIENT}, Reply(Phase.RCPT, 550, "5.1.1 nobody")),
        ({"rcpt": REFUSED_RCPT, "dot": b"250 2.0.0 queued\r\n"}, Reply(Phase.RCPT, 550, "5.1.1 nobody")),
        ({"rcpt": REFUSED_RCPT, "dot": Act.HANG_UP}, Reply(Phase.RCPT, 550, "5.1.1 nobody")),
        ({"rcpt": REFUSED_RCPT, "dot": b"nonsense\r\n"}, Reply(Phase.RCPT, 550, "5.1.1 nobody")),
        ({"rcpt": b"421 4.3.2 bye\r\n", "message": Act.SILENCE}, Reply(Phase.RCPT, 421, "4.3.2 bye")),
        ({"mail": b"421 4.3.2 bye\r\n", "rcpt": Act.HANG_UP}, Reply(Phase.MAIL, 421, "4.3.2 bye")),
        ({"mail": REFUSED_MAIL, "rcpt": NO_RECIPIENT, "dot": NO_RECIPIENT}, Reply(Phase.MAIL, 451, "4.3.0 later")),
        ({"dot": b"552 5.3.4 too big\r\n"}, Reply(Phase.DOT, 552, "5.3.4 too big")),
        ({"dot": b"451 4.3.0 later\r\n"}, Reply(Phase.DOT, 451, "4.3.0 later")),
    ],
    ids=str,
)
async def test_the_first_refusal_counts_also_if_nothing_comes_after_it(
    script: dict[str, Says | Act], reply: Reply
) -> None:
    assert await sent_to(ScriptedServer(*CHUNKING, **script)) == reply


async def test_a_server_that_takes_recipient_and_message_has_the_mail_whatever_it_said_of_the_sender() -> None:
    assert await sent_to(ScriptedServer(*CHUNKING, mail=REFUSED_MAIL)) == QUEUED


@pytest.mark.parametrize("event", ["mail", "rcpt", "dot"])
@pytest.mark.parametrize(
    "said",
    [Act.HANG_UP, Act.SILENCE, b"nonsense\r\n", b"354 go on\r\n", b"250-half\r\n", b"250-a\r\n251 b\r\n"],
    ids=str,
)
async def test_without_an_answer_to_the_message_a_mail_is_in_doubt_from_its_first_octet_on(
    event: str, said: Says | Act
) -> None:
    assert await sent_to(ScriptedServer(*CHUNKING, **{event: said})) is IN_DOUBT


async def test_answers_that_are_kept_until_the_message_is_judged_are_waited_for() -> None:
    server = ScriptedServer(*CHUNKING, mail=[b""] * 600 + [b"250 2.1.0 ok\r\n"])  # longer than other commands may take
    async with connected(server, Timeouts(command=0.5, answer=20)) as transport:
        assert await transport.send(MAIL) == QUEUED


async def test_its_answers_together_take_no_longer_than_the_one_to_a_message_may() -> None:
    slow = [b""] * 300 + [b"250 ok\r\n"]  # more than half of the time each
    assert await sent_to(ScriptedServer(*CHUNKING, mail=slow, rcpt=slow, dot=slow)) is IN_DOUBT


@pytest.mark.parametrize("more", [b"250 2.1.5 ok\r\n", b"550 5.7.1 spam\r\n"], ids=str)
async def test_a_server_that_answers_more_than_it_was_asked_leaves_doubt_and_is_left(more: bytes) -> None:
    """The last but one may be the recipient's, and only the last one the message's."""
    server = ScriptedServer(*CHUNKING, dot=b"250 2.1.5 ok\r\n" + more)
    async with connected(server) as transport:
        assert await transport.send(MAIL) is IN_DOUBT
        server.script = {}
        assert await transport.send(MAIL) == QUEUED
    assert server.connections == 2


@pytest.mark.parametrize("goodbye", [b"421 4.3.2 closing\r\n", b"221 2.0.0 bye\r\n"], ids=str)
async def test_a_goodbye_after_the_answer_leaves_no_doubt(goodbye: bytes) -> None:
    assert await sent_to(ScriptedServer(*CHUNKING, dot=b"250 2.0.0 queued\r\n" + goodbye)) == QUEUED


async def test_after_its_deadline_a_mail_is_not_written() -> None:
    server = ScriptedServer(*CHUNKING)
    with pytest.raises(ServerUnreachable):
        await sent_to(server, deadline=0)
    assert server.messages == []


async def test_after_a_refused_message_the_server_is_told_to_forget_it() -> None:
    server = ScriptedServer(*CHUNKING, dot=b"451 4.3.0 later\r\n")
    async with connected(server) as transport:
        await transport.send(MAIL)
        server.script = {}
        assert [await transport.send(MAIL) for _ in range(2)] == [QUEUED, QUEUED]
    assert (server.connections, server.commands.count("RSET")) == (1, 1)


@pytest.mark.parametrize("code", [500, 502, 503, 504])
async def test_a_server_that_doesn_t_know_what_it_offers_gets_the_mail_with_data_and_all_after_it(code: int) -> None:
    server = ScriptedServer(*CHUNKING, bdat=b"%d 5.5.1 what?\r\n" % code)
    async with connected(server) as transport:
        assert [await transport.send(MAIL) for _ in range(3)] == [QUEUED] * 3
    assert server.messages == [DATA] * 3
    assert server.connections == 2


async def test_a_server_that_takes_a_message_for_commands_is_left_also_if_the_recipient_was_refused() -> None:
    server = ScriptedServer(*CHUNKING, rcpt=REFUSED_RCPT, bdat=b"500 5.5.1 what?\r\n")
    async with connected(server) as transport:
        assert await transport.send(MAIL) == Reply(Phase.RCPT, 550, "5.1.1 nobody")
        server.script = {}
        assert await transport.send(MAIL) == QUEUED
    assert (server.connections, server.messages) == (2, [DATA])


async def test_a_server_that_hung_up_on_an_idle_connection_leaves_no_mail_in_doubt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "_FRESH", 0.0)
    server = ScriptedServer(*CHUNKING, rset=Act.HANG_UP)
    async with connected(server) as transport:
        assert [await transport.send(MAIL) for _ in range(2)] == [QUEUED, QUEUED]
    assert (server.connections, server.commands.count("RSET")) == (2, 1)


async def test_a_real_server_takes_chunks_and_goes_on_after_a_refused_recipient(postfix: Postfix) -> None:
    account = an_account(postfix.port)
    transport = SmtpTransport(account, lambda: account.limits)
    nobody = Mail(MAIL.sender, "nobody@", DATA, smtputf8=False)
    replies = [await transport.send(mail) for mail in (MAIL, nobody, MAIL)]
    await transport.close()
    said = [(reply.phase, reply.code) for reply in replies if isinstance(reply, Reply)]
    assert said == [(Phase.DOT, 250), (Phase.RCPT, 501), (Phase.DOT, 250)]
    await until_logged(postfix, "bdat=2/3 rset=1 quit=1")


async def until_logged(postfix: Postfix, words: str) -> None:
    """It counts a conversation's commands when we are gone."""
    async with asyncio.timeout(20):
        while True:
            if words in postfix.log.read_text():
                return
            await asyncio.sleep(0.05)
