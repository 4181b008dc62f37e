"""Hands mails to a mail server over reused connections, and says exactly how far it came."""

import asyncio
import ssl
import time
from contextlib import suppress

from aiosmtplib import SMTP, SMTPConnectResponseError, SMTPException, SMTPResponseException

from serienmail.domain.errors import AccountRefused, ServerUnreachable, TransportFailure
from serienmail.mailing.account import Account
from serienmail.mailing.message import Mail
from serienmail.mailing.replies import IN_DOUBT, InDoubt, Phase, Reply, ReplyClass, classify

_COMMAND_TIMEOUT = 60.0
_ANSWER_TIMEOUT = 600.0  # RFC 5321 4.5.3.2.6: giving up earlier makes duplicates
_IDLE_LIMIT = 30.0
_LONGEST_REPLY = 1_000
_NO_SMTPUTF8 = Reply(Phase.MAIL, 553, "5.6.7 the mail server takes no address with such letters before the @")


class SmtpTransport:
    """The connections of one account, opened when needed.

    Time-outs in seconds: for connecting and each command, and for the answer to the whole message.
    """

    def __init__(
        self, account: Account, *, command_timeout: float = _COMMAND_TIMEOUT, answer_timeout: float = _ANSWER_TIMEOUT
    ) -> None:
        self._account = account
        self._command_timeout = command_timeout
        self._answer_timeout = answer_timeout
        self._free = asyncio.Semaphore(account.connections)
        self._idle: list[_Session] = []
        self._tls: ssl.SSLContext | None = None

    async def send(self, mail: Mail) -> Reply | InDoubt:
        """Hand one mail over; the last answer, or IN_DOUBT if the message was written and no answer came.

        ServerUnreachable, AccountRefused: nothing was accepted. A cancellation may leave the mail in doubt.
        """
        async with self._free:
            session = await self._session()
            try:
                result = await session.hand_over(mail, self._answer_timeout)
            except BaseException:
                session.close()
                raise
            self._keep(session)
        if isinstance(result, Reply) and classify(result) is ReplyClass.ACCOUNT:
            raise AccountRefused(
                f"the mail server refused the sender ({result.code} at {result.phase}); check the account."
            )
        return result

    async def close(self) -> None:
        """Say goodbye on all connections; call it when nothing is being sent."""
        while self._idle:
            await self._idle.pop().quit()

    async def _session(self) -> "_Session":
        while self._idle:
            session = self._idle.pop()
            if await session.is_usable():
                return session
        if self._account.tls != "none" and self._tls is None:
            self._tls = ssl.create_default_context()
        return await _Session.open(self._account, self._tls, self._command_timeout)

    def _keep(self, session: "_Session") -> None:
        if session.mails < self._account.mails_per_connection and session.is_connected:
            self._idle.append(session)
        else:
            session.leave()


class _Session:
    """One connection. Whatever goes wrong closes it, so that no answer is ever taken for another's."""

    def __init__(self, client: SMTP) -> None:
        self.mails = 0
        self._client = client
        self._clean = True
        self._used_at = time.monotonic()

    @classmethod
    async def open(cls, account: Account, tls: ssl.SSLContext | None, timeout: float) -> "_Session":
        client = SMTP(
            hostname=account.host,
            port=account.port,
            username=account.username,
            password=account.password.get_secret_value() if account.password else None,
            use_tls=account.tls == "implicit",
            start_tls=account.tls == "starttls",
            tls_context=tls,
            timeout=timeout,
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except (SMTPException, OSError) as error:
            client.close()
            raise _failure(error) from None  # the server's words stay out of workflow histories
        except BaseException:
            client.close()
            raise
        return cls(client)

    @property
    def is_connected(self) -> bool:
        return self._client.is_connected

    async def is_usable(self) -> bool:
        """Whether the next mail can go here; if not, it is closed.

        RSET answers two questions: whether the server is still there, and whether it forgot a refused mail.
        """
        if self._clean and time.monotonic() - self._used_at < _IDLE_LIMIT:
            return self.is_connected
        usable = False
        try:
            with suppress(SMTPException, OSError):
                await self._client.rset()
                usable = True
        finally:
            if not usable:
                self.close()
        return usable

    async def hand_over(self, mail: Mail, answer_timeout: float) -> Reply | InDoubt:
        if mail.smtputf8 and not self._client.supports_extension("smtputf8"):
            return _NO_SMTPUTF8
        self.mails += 1
        self._clean = False
        options = (b"SMTPUTF8", b"BODY=8BITMIME") if mail.smtputf8 else ()
        for phase, *command in (
            (Phase.MAIL, b"MAIL", b"FROM:<" + mail.sender.encode() + b">", *options),
            (Phase.RCPT, b"RCPT", b"TO:<" + mail.recipient.encode() + b">"),
            (Phase.DATA, b"DATA"),
        ):
            reply = await self._command(phase, command)
            if reply.code >= 400:
                return reply
        result = await self._message(mail.data, answer_timeout)
        self._clean = True
        self._used_at = time.monotonic()
        return result

    async def _command(self, phase: Phase, command: list[bytes]) -> Reply:
        try:
            code, text = await self._client.execute_command(*command)
        except (SMTPException, OSError):
            raise ServerUnreachable(f"the mail server gave no answer to {phase}; it will be tried again.") from None
        if code // 100 not in (4, 5, 3 if phase is Phase.DATA else 2):
            raise ServerUnreachable(f"the mail server answered {code} at {phase}; check that host and port are right.")
        return Reply(phase, code, _one_line(text))

    async def _message(self, data: bytes, timeout: float) -> Reply | InDoubt:
        """Write the message and wait for the answer. Doubt begins with the first byte that is written.

        aiosmtplib's own ``data()`` raises the same error before and after the dot, so the message goes to its
        protocol directly; nobody else uses this connection, so its lock isn't needed.
        """
        protocol = self._client.protocol
        if protocol is None or not protocol.is_connected:
            raise ServerUnreachable("the mail server hung up before the message; it will be tried again.")
        stuffed = data.replace(b"\r\n.", b"\r\n..")  # RFC 5321 4.5.2; a message begins with a header, never a dot
        try:
            protocol.write(stuffed + b".\r\n")
            code, text = await protocol.read_response(timeout=timeout)
        except (SMTPException, OSError):
            self.close()
            return IN_DOUBT
        if code // 100 not in (2, 4, 5):
            self.close()
            return IN_DOUBT
        if code == 421:  # RFC 5321 3.8: it hangs up now
            self.close()
        return Reply(Phase.DOT, code, _one_line(text))

    def leave(self) -> None:
        """Close with a QUIT whose answer nobody waits for: an outcome in hand must not be held up."""
        if self._client.protocol and self.is_connected:
            self._client.protocol.write(b"QUIT\r\n")
        self.close()

    async def quit(self) -> None:
        with suppress(SMTPException, OSError):
            await self._client.quit()
        self.close()

    def close(self) -> None:
        self._client.close()


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


def _one_line(text: str) -> str:
    """Printable: neither databases nor terminals take everything that a server may say."""
    return "".join(character if character.isprintable() else " " for character in text[:_LONGEST_REPLY])
