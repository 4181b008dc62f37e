"""As fast as the mail server takes mails at all: ready bytes, pipelined, nothing built and nothing kept."""

import asyncio
import time
from collections.abc import Iterator

from benchmarks.throughput.message import ready_mail


async def mails_per_second(host: str, port: int, mails: int, connections: int) -> float:
    """One process, ``connections`` side by side."""
    mail = ready_mail()
    envelope = f"MAIL FROM:<{mail.sender}>\r\nRCPT TO:<{mail.recipient}>\r\nDATA\r\n".encode()
    message = mail.data.replace(b"\r\n.", b"\r\n..") + b".\r\n"
    numbers = iter(range(mails))
    began = time.monotonic()
    await asyncio.gather(*(_blast(host, port, envelope, message, numbers) for _ in range(connections)))
    return mails / (time.monotonic() - began)


async def _blast(host: str, port: int, envelope: bytes, message: bytes, numbers: Iterator[int]) -> None:
    """One connection. Each message goes out with the next one's envelope (RFC 2920): one round trip a mail."""
    reader, writer = await asyncio.open_connection(host, port)
    await reader.readline()
    writer.write(b"EHLO localhost\r\n")
    for _ in numbers:
        writer.write(envelope)
        await reader.readuntil(b"\n354 ")
        writer.write(message)
    writer.write(b"QUIT\r\n")
    await reader.readuntil(b"\n221 ")
    writer.close()
