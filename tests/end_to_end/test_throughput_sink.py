"""The benchmark's own mail server counts each mail once, however it comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from benchmarks.throughput.message import ready_mail
from benchmarks.throughput.sink import Conversation, Record
from serienmail.mailing.replies import Reply
from serienmail.mailing.smtp import SmtpTransport
from tests.world import an_account

ENVELOPE = b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n"


@asynccontextmanager
async def listening(record: Record) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(lambda: Conversation(record), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def answers(port: int, *packets: bytes) -> list[bytes]:
    """Codes of what it says to these, from the greeting on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for packet in packets:
        writer.write(packet)
        await asyncio.sleep(0.01)  # else they would come as one
    writer.write(b"QUIT\r\n")
    said = await reader.read()
    writer.close()
    return [line[:3] for line in said.splitlines()]


@pytest.mark.parametrize("chunking", [True, False])
async def test_mails_are_counted_in_chunks_and_with_data(chunking: bool) -> None:
    record = Record()
    async with listening(record) as port:
        account = an_account(port, chunking=chunking)
        transport = SmtpTransport(account, lambda: account.limits)
        replies = [await transport.send(ready_mail()) for _ in range(3)]
        await transport.close()
    assert [reply.code for reply in replies if isinstance(reply, Reply)] == [250, 250, 250]
    assert record.take() == {"messages": 3, "distinct": 1}


async def test_a_message_may_come_in_several_chunks_cut_anywhere() -> None:
    record = Record()
    async with listening(record) as port:
        chunks = b"BDAT 16\r\n\r\nMessage-ID: <x", b"BDAT 3 LAST\r\n>\r\n"
        whole = ENVELOPE + b"".join(chunks)
        said = await answers(port, *(whole[at : at + 7] for at in range(0, len(whole), 7)))
    assert said == [b"220", b"250", b"250", b"250", b"250", b"221"]
    assert record.take() == {"messages": 1, "distinct": 1}


async def test_a_chunk_without_a_recipient_is_swallowed_and_not_counted() -> None:
    record = Record()
    async with listening(record) as port:
        assert await answers(port, b"BDAT 6 LAST\r\nRCPT\r\n") == [b"220", b"503", b"221"]
    assert record.take() == {"messages": 0, "distinct": 0}
