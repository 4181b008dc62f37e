"""The conversation with a mail server, octet for octet: what is written when, and what each answer means."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from serienmail.domain.errors import AccountRefused, ServerUnreachable
from serienmail.mailing.message import Mail
from serienmail.mailing.replies import IN_DOUBT, Phase, Reply
from serienmail.mailing.session import Timeouts
from tests.mailing.certificates import self_signed
from tests.mailing.scripted_server import DATA, MAIL, QUEUED, Act, Says, ScriptedServer, connected, sent_to

BIG = Mail("crm@example.com", "anna@example.org", b"Subject: x\r\n\r\n" + b".2345678\r\n" * 2_000_000, smtputf8=False)


async def test_the_commands_leave_in_one_write_and_the_message_with_its_dot_in_another() -> None:
    server = ScriptedServer("PIPELINING")
    assert await sent_to(server) == QUEUED
    assert server.packets[1:3] == [
        b"MAIL FROM:<crm@example.com>\r\nRCPT TO:<anna@example.org>\r\nDATA\r\n",
        DATA + b".\r\n",
    ]


async def test_without_pipelining_each_answer_is_waited_for() -> None:
    server = ScriptedServer("8BITMIME")
    assert await sent_to(server) == QUEUED
    assert server.packets[1:4] == [b"MAIL FROM:<crm@example.com>\r\n", b"RCPT TO:<anna@example.org>\r\n", b"DATA\r\n"]


async def test_what_the_server_offers_is_asked_for() -> None:
    server = ScriptedServer("PIPELINING", "SIZE 1000", "8BITMIME", "SMTPUTF8", "DSN")
    mail = Mail(MAIL.sender, "jürgen@example.org", MAIL.data, smtputf8=True, envelope_id="mToken-1_")
    assert await sent_to(server, mail) == QUEUED
    assert server.commands[1:3] == [
        f"MAIL FROM:<crm@example.com> SIZE={len(DATA)} BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=mToken-1_",
        "RCPT TO:<jürgen@example.org> NOTIFY=FAILURE,DELAY",
    ]


@pytest.mark.parametrize(("offer", "taken"), [("SIZE 20", False), ("SIZE 0", True), ("SIZE", True)])
async def test_a_mail_over_the_servers_limit_isn_t_even_begun(offer: str, taken: bool) -> None:
    server = ScriptedServer(offer)
    reply = await sent_to(server)
    assert reply == (QUEUED if taken else Reply(Phase.MAIL, 552, "5.3.4 the mail server takes no mail over 20 bytes"))
    assert bool(server.messages) is taken


@pytest.mark.parametrize("field", ["sender", "recipient", "envelope_id"])
async def test_an_envelope_that_could_begin_a_second_command_is_never_written(field: str) -> None:
    envelope = {"sender": "a@example.com", "recipient": "b@example.org", "envelope_id": "x"}
    mail = Mail(**{**envelope, field: "x>\r\nRSET"}, data=DATA, smtputf8=False)
    server = ScriptedServer("DSN")
    with pytest.raises(ValueError, match="second command"):
        await sent_to(server, mail)
    assert "RSET" not in server.commands


@pytest.mark.parametrize("offers", [("PIPELINING",), ()], ids=["pipelined", "one by one"])
@pytest.mark.parametrize("size", [0, 1, 65_533, 65_534, 65_535, 65_536, 65_537, 200_000])
async def test_dots_are_doubled_wherever_a_chunk_ends(size: int, offers: tuple[str, ...]) -> None:
    data = (b".\r\n" + b"x" * (size % 7) + b"\r\n..") * (size // 9) + b"y" * size
    server = ScriptedServer(*offers)
    assert await sent_to(server, Mail(MAIL.sender, MAIL.recipient, data, smtputf8=False)) == QUEUED
    (received,) = server.messages
    lines = received.removesuffix(b"\r\n").split(b"\r\n")
    assert b"\r\n".join(line.removeprefix(b".") for line in lines) == data.removesuffix(b"\r\n")


@pytest.mark.parametrize(
    ("script", "reply"),
    [
        ({"rcpt": b"550 5.1.1 nobody\r\n", "data": b"503 5.5.1 no\r\n"}, Reply(Phase.RCPT, 550, "5.1.1 nobody")),
        (
            {"mail": b"451 4.3.0 later\r\n", "rcpt": b"503 5.5.1 no\r\n", "data": b"503 5.5.1 no\r\n"},
            Reply(Phase.MAIL, 451, "4.3.0 later"),
        ),
        ({"data": b"451 4.3.0 later\r\n"}, Reply(Phase.DATA, 451, "4.3.0 later")),
        ({"mail": b"421 4.3.2 bye\r\n", "rcpt": Act.HANG_UP}, Reply(Phase.MAIL, 421, "4.3.2 bye")),
        ({"rcpt": b"421 4.3.2 bye\r\n", "data": Act.SILENCE}, Reply(Phase.RCPT, 421, "4.3.2 bye")),
        ({"rcpt": b"550 5.1.1 nobody\r\n", "data": Act.HANG_UP}, Reply(Phase.RCPT, 550, "5.1.1 nobody")),
        ({"rcpt": b"550 5.1.1 nobody\r\n", "data": b"nonsense\r\n"}, Reply(Phase.RCPT, 550, "5.1.1 nobody")),
        ({"data": b"354 go on\r\n421 4.3.2 bye\r\n"}, Reply(Phase.DATA, 421, "4.3.2 bye")),
    ],
    ids=str,
)
async def test_the_first_refusal_counts_and_no_message_is_written(
    script: dict[str, Says | Act], reply: Reply
) -> None:
    server = ScriptedServer("PIPELINING", **script)
    assert await sent_to(server) == reply
    assert server.messages == []


@pytest.mark.parametrize("dot", [b"554 5.5.1 no recipients\r\n", b"250 2.0.0 queued\r\n", Act.HANG_UP])
async def test_a_message_without_a_recipient_is_a_lone_dot_and_never_accepted(dot: Says | Act) -> None:
    server = ScriptedServer("PIPELINING", rcpt=b"550 5.1.1 nobody\r\n", dot=dot)
    assert await sent_to(server) == Reply(Phase.RCPT, 550, "5.1.1 nobody")
    assert server.messages == [b""]


async def test_a_recipient_accepted_for_a_refused_sender_gets_no_empty_mail() -> None:
    server = ScriptedServer("PIPELINING", mail=b"451 4.3.0 later\r\n")
    assert await sent_to(server) == Reply(Phase.MAIL, 451, "4.3.0 later")
    assert server.messages == []


@pytest.mark.parametrize("offers", [("PIPELINING",), ()], ids=["pipelined", "one by one"])
@pytest.mark.parametrize("event", ["connect", "mail", "rcpt", "data"])
@pytest.mark.parametrize("said", [Act.HANG_UP, Act.SILENCE, b"nonsense\r\n", b"250 ok\n", b"999 ok\r\n", b"250_ok\r\n"])
async def test_nothing_is_handed_over_before_the_dot(offers: tuple[str, ...], event: str, said: Says | Act) -> None:
    server = ScriptedServer(*offers, **{event: said})
    with pytest.raises(ServerUnreachable):
        await sent_to(server)
    assert server.messages == []


async def test_an_acceptance_before_the_dot_is_none() -> None:
    server = ScriptedServer("PIPELINING", data=b"354 go on\r\n250 2.0.0 queued\r\n")
    with pytest.raises(ServerUnreachable):
        await sent_to(server)
    assert server.messages == []


@pytest.mark.parametrize(
    "said",
    [Act.HANG_UP, Act.SILENCE, b"nonsense\r\n", b"354 go on\r\n", b"250-half\r\n", b"250-a\r\n251 b\r\n"],
    ids=str,
)
async def test_after_the_dot_no_answer_means_in_doubt(said: Says | Act) -> None:
    assert await sent_to(ScriptedServer("PIPELINING", dot=said)) is IN_DOUBT


async def test_a_connection_lost_within_a_big_message_is_not_in_doubt() -> None:
    with pytest.raises(ServerUnreachable):
        await sent_to(ScriptedServer("PIPELINING", message=Act.HANG_UP), BIG)


async def test_a_server_that_stops_reading_a_big_message_is_given_up_before_the_dot() -> None:
    with pytest.raises(ServerUnreachable):
        await sent_to(ScriptedServer("PIPELINING", message=Act.SILENCE), BIG)


async def test_a_big_message_waits_for_room_and_arrives_whole() -> None:
    server = ScriptedServer("PIPELINING")
    async with connected(server, Timeouts(answer=20)) as transport:
        assert await transport.send(BIG) == QUEUED
    assert server.messages[0].replace(b"\r\n..", b"\r\n.") == BIG.data


async def test_a_refusal_in_the_midst_of_a_big_message_is_its_answer() -> None:
    server = ScriptedServer("PIPELINING", message=[b"552 5.3.4 too big\r\n", b""])
    assert await sent_to(server, BIG) == Reply(Phase.DATA, 552, "5.3.4 too big")


async def test_after_its_deadline_a_mail_is_not_handed_over() -> None:
    server = ScriptedServer("PIPELINING")
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert await sent_to(server, deadline=now + 60) == QUEUED
    with pytest.raises(ServerUnreachable):
        await sent_to(server, deadline=now - 1)
    assert len(server.messages) == 1


async def test_an_answer_that_comes_octet_by_octet_in_many_lines_is_one_answer() -> None:
    answer = b"250-2.0.0 first\r\n250-\r\n250 last\r\n"
    server = ScriptedServer("PIPELINING", dot=[answer[n : n + 1] for n in range(len(answer))])
    assert await sent_to(server) == Reply(Phase.DOT, 250, "2.0.0 first  last")


@pytest.mark.parametrize("said", [b"250 " + b"x" * 100_000 + b"\r\n", b"250-x\r\n" * 10_000, b"x" * 100_000])
async def test_an_endless_answer_ends_the_connection(said: bytes) -> None:
    assert await sent_to(ScriptedServer(dot=said)) is IN_DOUBT


async def test_an_answer_that_nobody_asked_for_is_never_taken_for_another_mails() -> None:
    server = ScriptedServer("PIPELINING", dot=b"250 2.0.0 queued\r\n250 2.0.0 and again\r\n")
    async with connected(server) as transport:
        await transport.send(MAIL)
        server.script = {"rcpt": b"550 5.1.1 nobody\r\n", "data": b"503 no\r\n"}
        assert await transport.send(MAIL) == Reply(Phase.RCPT, 550, "5.1.1 nobody")
    assert server.connections == 2


async def test_a_server_that_refuses_to_forget_a_refused_mail_is_left() -> None:
    server = ScriptedServer("PIPELINING", rcpt=b"550 5.1.1 nobody\r\n", data=b"503 no\r\n", rset=b"500 what?\r\n")
    async with connected(server) as transport:
        await transport.send(MAIL)
        server.script = {"rset": b"500 what?\r\n"}
        assert await transport.send(MAIL) == QUEUED
    assert (server.connections, server.commands.count("RSET")) == (2, 1)


async def test_an_idle_connection_is_closed_with_a_goodbye() -> None:
    server = ScriptedServer("PIPELINING")
    async with connected(server, Timeouts(idle=0.05)) as transport:
        await transport.send(MAIL)
        await transport.send(MAIL)
        await asyncio.sleep(0.15)
        assert server.commands[-1] == "QUIT"
        await transport.send(MAIL)
    assert (server.connections, len(server.messages)) == (2, 3)


async def test_a_slow_connection_holds_up_no_other() -> None:
    server = ScriptedServer("PIPELINING", connect=Act.SILENCE)
    async with connected(server, Timeouts(command=5), connections=2) as transport:
        slow = asyncio.create_task(transport.send(MAIL))
        await server.connected.wait()
        server.script = {}
        assert await transport.send(MAIL) == QUEUED
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
def test_a_session_takes_over_the_connection_in_clear_and_with_tls(
    tls: str, new_loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, trusted = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    offers = ("PIPELINING", "STARTTLS") if tls == "starttls" else ("PIPELINING",)
    server = ScriptedServer(*offers)
    server.certificate, server.implicit = certificate, tls == "implicit"

    async def conversation() -> None:
        async with connected(server, Timeouts(command=5, answer=20), tls=tls) as transport:
            assert [await transport.send(MAIL) for _ in range(2)] == [QUEUED, QUEUED]
            assert await transport.send(BIG) == QUEUED
            server.script = {"dot": Act.HANG_UP}
            assert await transport.send(MAIL) is IN_DOUBT
            server.script = {"data": Act.HANG_UP}
            with pytest.raises(ServerUnreachable):
                await transport.send(MAIL)
            server.script = {"message": Act.HANG_UP}
            with pytest.raises(ServerUnreachable):
                await transport.send(BIG)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(conversation())
    assert server.connections == 3
    assert server.messages[2].replace(b"\r\n..", b"\r\n.") == BIG.data


async def test_a_certificate_that_nobody_vouches_for_is_the_accounts_fault(tmp_path: Path) -> None:
    server = ScriptedServer("STARTTLS")
    server.certificate, _ = self_signed(tmp_path)
    async with connected(server, tls="starttls") as transport:
        with pytest.raises(AccountRefused, match="no trusted TLS"):
            await transport.send(MAIL)
