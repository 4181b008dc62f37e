"""The plain way to send the same mails: the standard library's EmailMessage, and aiosmtplib over a pool."""

import asyncio
import time
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from aiosmtplib import SMTP

from benchmarks.people import person
from benchmarks.throughput.message import SENDER, unsubscribe_url, words


async def mails_per_second(host: str, port: int, mails: int, connections: int) -> float:
    """One process, ``connections`` side by side, each for one mail after the other; no ledger."""
    numbers = iter(range(1, mails + 1))
    began = time.monotonic()
    await asyncio.gather(*(_connection(host, port, numbers) for _ in range(connections)))
    return mails / (time.monotonic() - began)


async def _connection(host: str, port: int, numbers: Iterator[int]) -> None:
    async with SMTP(hostname=host, port=port) as client:
        for number in numbers:
            await client.send_message(_message(number))


def _message(number: int) -> EmailMessage:
    written, recipient = words(number), person(number)
    message = EmailMessage()
    message["From"] = SENDER
    message["To"] = f"{recipient.first_name} {recipient.last_name} <{recipient.email}>"
    message["Subject"] = written.subject
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain="serienmail.example")
    message["List-Unsubscribe"] = f"<{unsubscribe_url(number)}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(written.text)
    message.add_alternative(written.html, subtype="html")
    return message
