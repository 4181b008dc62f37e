"""A real mail server on a loopback socket that misbehaves on demand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

HANG_UP = "hang up"
"""As an answer: close the connection without one."""

SILENCE = "silence"
"""As an answer: none, with the connection open."""


class Server:
    """Answers as told, and keeps what it accepted.

    answers: replies by command: ``connect``, ``mail``, ``rcpt``, ``data``, ``dot``, instead of the good ones.
    """

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.accepted: list[Envelope] = []
        self.connections = 0
        self.commands: list[str] = []
        self.reached_rcpt = asyncio.Event()

    async def handle_MAIL(
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        envelope.mail_from = address
        return await self.answer("mail", server) or "250 2.1.0 ok"

    async def handle_RCPT(
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        self.reached_rcpt.set()
        answer = await self.answer("rcpt", server)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        answer = await self.answer("dot", server)
        if answer is None or answer.startswith("250"):
            self.accepted.append(envelope)
        return answer or "250 2.0.0 queued"

    async def answer(self, command: str, server: SMTP) -> str | None:
        self.commands.append(command)
        answer = self.answers.get(command)
        if answer == HANG_UP:
            hang_up(server)
            await asyncio.sleep(60)  # until the lost connection cancels this
        if answer == SILENCE:
            await asyncio.sleep(60)
        return answer


def hang_up(connection: SMTP) -> None:
    """Close it without a word."""
    if connection.transport:
        connection.transport.close()


class _Connection(SMTP):
    """aiosmtpd has no hooks for the greeting and for DATA itself."""

    async def push(self, status: Any) -> None:
        if isinstance(status, str) and status.startswith("220 "):
            self.event_handler.connections += 1
            status = await self.event_handler.answer("connect", self) or status
        await super().push(status)

    async def smtp_DATA(self, arg: str) -> None:
        answer = self.event_handler.answers.get("data")
        if answer == HANG_UP:
            await super().push("354 go on")
            await self._reader.readline()  # the message has begun
            hang_up(self)
        elif answer:
            await super().push(answer)
        else:
            await super().smtp_DATA(arg)

    async def smtp_RSET(self, arg: str) -> None:
        self.event_handler.commands.append("rset")
        await super().smtp_RSET(arg)


@asynccontextmanager
async def listening(
    server: Server, *, login: tuple[str, str] | None = None, smtputf8: bool = True
) -> AsyncIterator[int]:
    """The server's port, while it listens. login: the only user and password it takes, and requires."""
    loop = asyncio.get_running_loop()
    connections: list[_Connection] = []

    def authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login.decode(), data.password.decode()) == login, handled=False)

    def connection() -> _Connection:
        options: dict[str, Any] = {"authenticator": authenticate, "auth_require_tls": False} if login else {}
        connections.append(_Connection(server, enable_SMTPUTF8=smtputf8, hostname="localhost", loop=loop, **options))
        return connections[-1]

    listener = await loop.create_server(connection, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for connected in connections:
            hang_up(connected)
        await asyncio.sleep(0.01)
