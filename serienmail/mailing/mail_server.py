"""Our own mail servers, the inbox and the one for bounces: how they listen, and hang up when they stop."""

import asyncio
import sys
from typing import Any, cast
from weakref import WeakSet

from aiosmtpd.smtp import SMTP

from serienmail.domain.errors import EnvironmentFault


class MailServer:
    """Listens for SMTP with aiosmtpd. With port 0 the system chooses one.

    handler: an aiosmtpd handler. purpose: what it is there for, in the refusal of a taken port. kind: SMTP, or LMTP.
    most_connections: clients beyond are asked to come again. options: more for ``kind``.
    """

    def __init__(
        self,
        handler: object,
        host: str,
        port: int,
        purpose: str,
        *,
        kind: type[SMTP] = SMTP,
        most_connections: int = sys.maxsize,
        **options: Any,
    ) -> None:
        self._handler, self._options = handler, options
        self._host, self._port, self._purpose = host, port, purpose
        self._most_connections = most_connections
        self.kind = kind
        self._server: asyncio.Server | None = None
        self._sessions: WeakSet[SMTP] = WeakSet()

    async def start(self) -> None:
        """Listen in the running event loop; EnvironmentFault if the port is taken."""
        try:
            self._server = await asyncio.get_running_loop().create_server(self._session, self._host, self._port)
        except OSError:
            raise EnvironmentFault(f"port {self._port} for {self._purpose} can't be used; stop what uses it.") from None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else self._port

    async def stop(self) -> None:
        """Stop listening and hang up on everybody: what wasn't answered comes again."""
        if self._server is None:
            return
        self._server.close()
        for session in self._sessions:
            if session.transport:
                # Not close(): it waits until the client has read its answers, and from Python 3.12 on
                # wait_closed() waits as well, for ever if the client never does.
                cast(asyncio.WriteTransport, session.transport).abort()
        await self._server.wait_closed()
        await asyncio.sleep(0)  # the sessions learn of it in the loop's next round

    def _session(self) -> asyncio.Protocol:
        if sum(session.transport is not None for session in self._sessions) >= self._most_connections:
            return _Busy()
        session = self.kind(
            self._handler,
            enable_SMTPUTF8=True,
            hostname="localhost",  # else the name service is asked for each connection
            loop=asyncio.get_running_loop(),
            **self._options,
        )
        self._sessions.add(session)
        return session


class _Busy(asyncio.Protocol):
    """Asks a client to come again."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"421 4.3.2 too many connections, please come again\r\n")
        transport.close()
