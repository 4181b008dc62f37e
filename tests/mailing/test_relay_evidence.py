"""A real Postfix, and what its log proves about a mail whose sender was killed at a certain moment."""

import asyncio
import secrets
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET

import pytest

from serienmail.domain.doubt import Finding
from serienmail.mailing.relay_evidence import RelayEvidence
from tests.postfix import Postfix, a_postfix
from tests.world import an_account

LARGE = b"x" * 70 + b"\r\n"
CLEAR = (Finding.ACCEPTED, Finding.NOT_ACCEPTED)


class Sender:
    """One raw conversation about one mail."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.message_id = f"<{secrets.token_hex(8)}@example.com>"
        self._reader, self._writer = reader, writer

    async def envelope(self) -> None:
        for command in ("EHLO worker.example", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.org>"):
            await self.ask(command)

    async def whole(self) -> None:
        await self.envelope()
        await self.ask("DATA")
        self.write(self.message() + b".\r\n")

    async def ask(self, command: str) -> bytes:
        self.write(command.encode() + b"\r\n")
        return await self.answer()

    async def answer(self) -> bytes:
        while (line := await self._reader.readline())[3:4] == b"-":
            pass
        return line

    def message(self) -> bytes:
        return f"From: a@example.com\r\nMessage-ID: {self.message_id}\r\n\r\nhello\r\n".encode()

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def dies(self) -> None:
        """As a killed process does: what the socket has is still sent, and then there is nobody."""
        await self._writer.drain()
        await self.end()

    async def end(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def loses_its_network(self) -> None:
        self._writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


async def a_sender(postfix: Postfix) -> Sender:
    reader, writer = await asyncio.open_connection("127.0.0.1", postfix.port)
    sender = Sender(reader, writer)
    await sender.answer()
    return sender


@pytest.fixture
async def sender(postfix: Postfix) -> AsyncIterator[Sender]:
    sender = await a_sender(postfix)
    yield sender
    await sender.end()


def evidence_of(postfix: Postfix) -> RelayEvidence:
    return RelayEvidence({"main": an_account(postfix.port, relay_log=postfix.log)}, settle=0.2)


@pytest.fixture
def evidence(postfix: Postfix) -> RelayEvidence:
    return evidence_of(postfix)


async def found(evidence: RelayEvidence, sender: Sender) -> Finding | None:
    """What the log proves, as soon as it does; mails that were accepted may take a moment to be queued."""
    finding = None
    for _ in range(5):
        findings = await evidence.find("main", {sender.message_id: datetime.now(UTC)})
        finding = findings.get(sender.message_id)
        if finding in CLEAR:
            break
    return finding


async def test_killed_before_the_message_it_was_not_accepted(sender: Sender, evidence: RelayEvidence) -> None:
    await sender.envelope()
    await sender.dies()
    assert await found(evidence, sender) is Finding.NOT_ACCEPTED


@pytest.mark.parametrize("more", [b"", LARGE * 3000])
async def test_killed_in_the_middle_of_the_message_it_was_not_accepted(
    sender: Sender, evidence: RelayEvidence, postfix: Postfix, more: bytes
) -> None:
    await sender.envelope()
    await sender.ask("DATA")
    sender.write(sender.message() + more)
    await sender.dies()
    assert await found(evidence, sender) is Finding.NOT_ACCEPTED
    assert sender.message_id in postfix.log.read_text()  # its name alone proves nothing


async def test_killed_after_the_final_dot_it_was_accepted(sender: Sender, evidence: RelayEvidence) -> None:
    await sender.whole()
    await sender.dies()
    assert await found(evidence, sender) is Finding.ACCEPTED


async def test_killed_after_the_reply_it_was_accepted(sender: Sender, evidence: RelayEvidence) -> None:
    await sender.whole()
    assert (await sender.answer()).startswith(b"250")
    await sender.dies()
    assert await found(evidence, sender) is Finding.ACCEPTED


async def test_with_the_network_gone_after_the_final_dot_the_log_decides(
    sender: Sender, evidence: RelayEvidence, postfix: Postfix
) -> None:
    await sender.whole()
    await sender.loses_its_network()
    finding = await found(evidence, sender)
    log = postfix.log.read_text()
    named = next((line for line in log.splitlines() if sender.message_id in line), "")
    queue_id = named.rpartition(": message-id=")[0].rpartition(" ")[2]
    queued = bool(queue_id) and any(
        f" {queue_id}: from=" in line and line.endswith("(queue active)") for line in log.splitlines()
    )
    assert finding is (Finding.ACCEPTED if queued else Finding.NOT_ACCEPTED)


async def test_while_a_connection_may_still_bring_it_nothing_is_proved(sender: Sender, evidence: RelayEvidence) -> None:
    await sender.envelope()
    await sender.ask("DATA")
    sender.write(sender.message()[:20])
    findings = await evidence.find("main", {sender.message_id: datetime.now(UTC)})
    assert findings[sender.message_id] is Finding.UNCLEAR
    await sender.dies()
    assert await found(evidence, sender) is Finding.NOT_ACCEPTED


async def test_a_relay_that_was_restarted_meanwhile_proves_only_what_it_queued(postfix_root: Path) -> None:
    async with a_postfix(postfix_root) as postfix:
        accepted, cut = await a_sender(postfix), await a_sender(postfix)
        await accepted.whole()
        await accepted.answer()
        await cut.envelope()
        await cut.ask("DATA")
        await postfix.stop()
        await postfix.start()
        assert await found(evidence_of(postfix), accepted) is Finding.ACCEPTED
        assert await found(evidence_of(postfix), cut) is Finding.UNCLEAR
        await accepted.end()
        await cut.end()


async def test_the_log_of_another_server_proves_nothing(sender: Sender, postfix: Postfix, tmp_path: Path) -> None:
    other = tmp_path / "mail.log"
    other.write_bytes(b"".join(postfix.log.read_bytes().splitlines(keepends=True)[:2]))
    evidence = RelayEvidence({"main": an_account(postfix.port, relay_log=other)}, settle=0)
    findings = await evidence.find("main", {sender.message_id: datetime.now(UTC)})
    assert findings[sender.message_id] is Finding.UNCLEAR


async def test_a_log_that_begins_too_late_proves_only_what_it_shows(sender: Sender, evidence: RelayEvidence) -> None:
    assert await evidence.find("main", {sender.message_id: datetime.now(UTC) - timedelta(days=2)}) == {}
    await sender.whole()
    await sender.answer()
    findings = await evidence.find("main", {sender.message_id: datetime.now(UTC) - timedelta(days=2)})
    assert findings == {sender.message_id: Finding.ACCEPTED}


async def test_a_log_that_is_missing_proves_nothing(sender: Sender, postfix: Postfix, tmp_path: Path) -> None:
    evidence = RelayEvidence({"main": an_account(postfix.port, relay_log=tmp_path / "nowhere")})
    assert await evidence.find("main", {sender.message_id: datetime.now(UTC)}) == {}
