"""Hands mails to a mail server over reused connections, and says exactly how far it came."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import cast

from aiosmtplib import SMTP, SMTPConnectResponseError, SMTPException, SMTPResponseException

from serienmail.domain.errors import AccountRefused, ServerUnreachable, TransportFailure
from serienmail.domain.sending_limits import SendingLimits
from serienmail.mailing.account import Account
from serienmail.mailing.connection import Connection
from serienmail.mailing.message import Mail
from serienmail.mailing.replies import InDoubt, Reply, ReplyClass, classify
from serienmail.mailing.session import ChunkingRefused, Session, Timeouts

log = logging.getLogger(__name__)


class SmtpTransport:
    """The connections of one account: opened when needed, side by side, and closed when idle.

    limits: asked each time, since they change. Callers hand over no more mails at once than there may be connections.
    """

    def __init__(
        self,
        account: Account,
        limits: Callable[[], SendingLimits],
        timeouts: Timeouts = Timeouts(),  # noqa: B008  # it is frozen
    ) -> None:
        self._account = account
        self._limits = limits
        self._timeouts = timeouts
        self._chunking = account.chunking
        self._busy = 0
        self._idle: list[Session] = []  # the longest idle first
        self._closing_idle: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None

    async def send(self, mail: Mail, *, deadline: float | None = None) -> Reply | InDoubt:
        """Hand one mail over; the last answer, or IN_DOUBT if the message was written and no answer came.

        ServerUnreachable, AccountRefused: nothing was accepted. A cancellation may leave the mail in doubt.
        deadline: seconds on CLOCK_BOOTTIME; if the message's end isn't written by then, ServerUnreachable.
        """
        self._busy += 1
        try:
            session, result = await self._handed_over(mail, deadline)
        finally:
            self._busy -= 1
        self._keep(session)
        if isinstance(result, Reply) and classify(result) is ReplyClass.ACCOUNT:
            raise AccountRefused(
                f"the mail server refused the sender ({result.code} at {result.phase}); check the account."
            )
        return result

    async def close(self) -> None:
        """Say goodbye on all connections; call it when nothing is being sent."""
        if self._closing_idle:
            self._closing_idle.cancel()
        sessions, self._idle = self._idle, []
        await asyncio.gather(*(session.quit() for session in sessions))

    async def _handed_over(self, mail: Mail, deadline: float | None) -> tuple[Session, Reply | InDoubt]:
        session = await self._session()
        try:
            return session, await session.hand_over(mail, deadline)
        except ChunkingRefused:
            if self._chunking:
                log.warning("%s offers CHUNKING but refuses BDAT; its mails go with DATA now", self._account.host)
            self._chunking = False
            return await self._handed_over(mail, deadline)
        except BaseException:
            session.close()
            raise

    async def _session(self) -> Session:
        while self._idle:
            session = self._idle.pop()
            if await session.is_usable():
                return session
        if self._account.tls != "none" and self._tls is None:
            self._tls = ssl.create_default_context()
        client = await connect(self._account, self._tls, self._timeouts)
        offers = dict(client.esmtp_extensions)
        if not self._chunking:
            offers.pop("chunking", None)
        return Session(Connection(cast(asyncio.Transport, client.transport)), offers, self._timeouts)

    def _keep(self, session: Session) -> None:
        limits = self._limits()
        full = limits.mails_per_connection is not None and session.mails >= limits.mails_per_connection
        others = self._busy + len(self._idle)
        if full or not session.is_open or (limits.connections is not None and others >= limits.connections):
            session.leave()
            return
        session.idle_since = asyncio.get_running_loop().time()
        self._idle.append(session)
        if self._closing_idle is None:
            self._close_idle()

    def _close_idle(self) -> None:
        """One timer for all connections, set for the one that lies idle the longest."""
        loop = asyncio.get_running_loop()
        while self._idle and self._idle[0].idle_since + self._timeouts.idle <= loop.time():
            self._idle.pop(0).leave()
        self._closing_idle = None
        if self._idle:
            self._closing_idle = loop.call_at(self._idle[0].idle_since + self._timeouts.idle, self._close_idle)


async def connect(
    account: Account,
    tls: ssl.SSLContext | None,
    timeouts: Timeouts = Timeouts(),  # noqa: B008  # it is frozen
    name: str | None = None,
) -> SMTP:
    """Connect, TLS, EHLO and log-in. name: said at EHLO; None: this machine's. TransportFailure if that fails."""
    client = SMTP(
        hostname=account.host,
        port=account.port,
        local_hostname=name,
        username=account.username,
        password=account.password.get_secret_value() if account.password else None,
        use_tls=account.tls == "implicit",
        start_tls=account.tls == "starttls",
        tls_context=tls,
        timeout=timeouts.command,
    )
    try:
        await client.connect()
        if client.is_ehlo_or_helo_needed:
            await client.ehlo()
        if client.transport is None:
            raise ServerUnreachable("the mail server hung up after its greeting; it will be tried again.")
    except (SMTPException, OSError) as error:
        client.close()
        raise _failure(error) from None  # the server's words stay out of workflow histories
    except BaseException:
        client.close()
        raise
    return client


def _failure(error: Exception) -> TransportFailure:
    """Our word for an error while connecting; the texts carry nothing of the server's."""
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return AccountRefused("no trusted TLS connection to the mail server; check its certificate and the account.")
    if type(error) is SMTPException:  # what aiosmtplib raises if STARTTLS or AUTH isn't offered
        return AccountRefused("the mail server doesn't offer the log-in or TLS that the account asks for; check both.")
    if isinstance(error, SMTPConnectResponseError):
        return ServerUnreachable(f"the mail server takes no connection now ({error.code}); it will be tried again.")
    if isinstance(error, SMTPResponseException) and error.code >= 500:
        return AccountRefused(f"the mail server refused the log-in ({error.code}); check the account.")
    return ServerUnreachable("the mail server can't be reached; check that it runs, its host and its port.")
