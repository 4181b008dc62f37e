"""Our own mail servers end when they are told to, whoever is connected."""

import asyncio

from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import SMTP

from serienmail.mailing.mail_server import MailServer

GREETINGS = b"EHLO client.example\r\n" * 1000


async def test_a_client_that_never_reads_its_answers_keeps_no_server_from_stopping() -> None:
    sessions: list[SMTP] = []

    class Session(SMTP):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[arg-type]
            sessions.append(self)

    server = MailServer(Sink(), "127.0.0.1", 0, "tests", kind=Session)
    await server.start()
    _, client = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
    while not (sessions and sessions[0].transport.get_write_buffer_size()):
        client.write(GREETINGS)
        await asyncio.sleep(0.01)
    async with asyncio.timeout(10):
        await server.stop()
    client.transport.abort()
    assert sessions[0].transport is None
