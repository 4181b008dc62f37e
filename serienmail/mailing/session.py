"""One connection to a mail server that hands over one mail after the other, in as few writes as the server takes."""

import asyncio
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from serienmail.domain.errors import ServerUnreachable
from serienmail.mailing.connection import Connection
from serienmail.mailing.message import Mail
from serienmail.mailing.replies import IN_DOUBT, InDoubt, Phase, Reply

_CHUNK = 65_536  # octets; more isn't handed to the socket before it has room
_FRESH = 1.0  # seconds; a server may be hanging up on a connection that lay idle for longer
_UNKNOWN = frozenset({500, 502, 504})  # RFC 5321 4.2.4: it doesn't know the command, or not like this
_BAD_SEQUENCE = 503
_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS counts its sleep in the latter
_Commands = tuple[tuple[Phase, bytes], ...]
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f<>]")  # could end a command, or its address


class ChunkingRefused(Exception):
    """The server offered CHUNKING and doesn't know it: nothing was accepted, and the connection is closed."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect and for each command, for 354, for room to write a part of the message, for the answer to
    the whole of it, and for a connection to lie idle. RFC 5321 4.5.3.2 has at least these for 354, data and answer;
    giving up the answer earlier makes duplicates.
    """

    command: float = 60
    data: float = 120
    block: float = 180
    answer: float = 600
    idle: float = 30


class Session:
    """A conversation after EHLO, TLS and log-in.

    extensions: what the server offered at EHLO, in lower case. mails: begun so far. idle_since: by the loop's clock,
    when it was put aside.
    """

    def __init__(self, connection: Connection, extensions: Mapping[str, str], timeouts: Timeouts) -> None:
        self.mails = 0
        self.idle_since = 0.0
        self._connection = connection
        self._extensions = extensions
        self._timeouts = timeouts
        self._patience = {Phase.DATA: timeouts.data, Phase.DOT: timeouts.answer}
        self._clean = True
        self._chunking = "chunking" in extensions and "pipelining" in extensions

    @property
    def is_open(self) -> bool:
        """The connection is there, and nothing has been said on it that nobody asked for."""
        return self._connection.is_quiet

    async def is_usable(self) -> bool:
        """Whether the next mail can go here; after a refused one RSET makes the server forget it. Closed if not.

        RSET also shows whether the server is still there, before a whole mail is written to it.
        """
        if not self.is_open:
            self.close()
        elif not self._clean or (self._chunking and asyncio.get_running_loop().time() - self.idle_since > _FRESH):
            with suppress(ServerUnreachable):
                self._write(Phase.MAIL, b"RSET\r\n")
                if (await self._reply(Phase.MAIL)).code >= 400:
                    self.close()
        return self.is_open

    async def hand_over(self, mail: Mail, deadline: float | None = None) -> Reply | InDoubt:
        """The last answer that counts, or IN_DOUBT: the message's last chunk was handed to the socket, and no answer
        came.

        ServerUnreachable before that, and nothing was handed over; ChunkingRefused. deadline: by CLOCK_BOOTTIME, which
        doesn't stand still in a suspended machine; from then on the last chunk isn't written any more.
        """
        if refusal := self._beyond_its_abilities(mail):
            return refusal
        envelope = self._envelope(mail)
        self.mails += 1
        self._clean = False
        if self._chunking and len(mail.data) <= _CHUNK:
            return await self._in_one_write(envelope, mail.data, deadline)
        converse = self._all_at_once if "pipelining" in self._extensions else self._one_by_one
        refusal = await converse((*envelope, (Phase.DATA, b"DATA\r\n"))) or await self._message(mail.data, deadline)
        if refusal:
            return refusal
        try:
            answer = await self._reply(Phase.DOT)
        except ServerUnreachable:
            return IN_DOUBT
        self._clean = True
        return answer

    def leave(self) -> None:
        """Close with a QUIT whose answer nobody waits for."""
        if self.is_open:
            self._write(Phase.MAIL, b"QUIT\r\n")
            self._connection.close_when_written()
        else:
            self.close()

    async def quit(self) -> None:
        """Close after the server's goodbye, unless it keeps us waiting."""
        with suppress(ServerUnreachable):
            self._write(Phase.MAIL, b"QUIT\r\n")
            await self._reply(Phase.MAIL)
        self.close()

    def close(self) -> None:
        """Hang up at once; what isn't written yet never is."""
        self._connection.close()

    def _beyond_its_abilities(self, mail: Mail) -> Reply | None:
        if mail.smtputf8 and "smtputf8" not in self._extensions:
            return Reply(Phase.MAIL, 553, "5.6.7 the mail server takes no address with such letters before the @")
        limit = self._extensions.get("size", "")
        if limit.isdecimal() and 0 < int(limit) < len(mail.data):  # RFC 1870: 0 is no limit
            return Reply(Phase.MAIL, 552, f"5.3.4 the mail server takes no mail over {limit} bytes")
        return None

    def _envelope(self, mail: Mail) -> _Commands:
        if _FORBIDDEN.search(f"{mail.sender}{mail.recipient}{mail.envelope_id}"):
            raise ValueError("an envelope holds a character that could begin a second command")
        sender, recipient = f"MAIL FROM:<{mail.sender}>", f"RCPT TO:<{mail.recipient}>"
        if "size" in self._extensions:
            sender += f" SIZE={len(mail.data)}"
        if mail.smtputf8:
            sender += " BODY=8BITMIME SMTPUTF8"  # RFC 6531 3.1: who offers the one offers the other
        if "dsn" in self._extensions and mail.envelope_id:
            sender += f" RET=HDRS ENVID={mail.envelope_id}"
            recipient += " NOTIFY=FAILURE,DELAY"
        return (Phase.MAIL, f"{sender}\r\n".encode()), (Phase.RCPT, f"{recipient}\r\n".encode())

    async def _in_one_write(self, envelope: _Commands, data: bytes, deadline: float | None) -> Reply | InDoubt:
        """RFC 3030: a message that announces its length waits for no 354, so it goes along with its envelope.

        A refused sender or recipient decides, also if nothing comes after that.
        """
        message = data if data.endswith(b"\r\n") else data + b"\r\n"
        self._check(deadline)
        commands = (*envelope, (Phase.DOT, b"BDAT %d LAST\r\n" % len(message)))
        self._write(Phase.MAIL, b"".join([*(command for _, command in commands), message]))
        replies: list[Reply] = []
        now = asyncio.get_running_loop().time
        give_up = now() + self._timeouts.answer
        with suppress(ServerUnreachable):
            for phase, _ in commands:  # a server may keep all answers until it has judged the message
                replies.append(await self._connection.reply(phase, give_up - now()))
        refusal = next((reply for reply in replies if reply.code >= 400), None)
        if len(replies) < len(commands):
            return refusal or IN_DOUBT
        answer = replies[-1]
        self._clean = refusal is None  # else RFC 3030 2 demands RSET
        if all(reply.code < 400 for reply in replies[1:]):  # it has the mail, whatever it said of the sender
            return IN_DOUBT if self._connection.says_more else answer
        if answer.code in _UNKNOWN or (answer is refusal and answer.code == _BAD_SEQUENCE):
            self.close()  # it may be taking the message for commands
            if answer is refusal:
                raise ChunkingRefused
        return refusal or answer

    async def _one_by_one(self, commands: _Commands) -> Reply | None:
        for phase, command in commands:
            self._write(phase, command)
            reply = await self._reply(phase)
            if reply.code >= 400:
                return reply
        return None

    async def _all_at_once(self, commands: _Commands) -> Reply | None:
        """RFC 2920: one write, then as many replies. The first refusal, also if the connection breaks after it."""
        self._write(Phase.MAIL, b"".join([command for _, command in commands]))
        replies: list[Reply] = []
        try:
            for phase, _ in commands:
                replies.append(await self._reply(phase))
        except ServerUnreachable:
            if not any(reply.code >= 400 for reply in replies):
                raise
        refusals = [reply for reply in replies if reply.code >= 400]
        if not refusals:
            return None
        if replies[-1].phase is Phase.DATA and replies[-1].code < 400:
            await self._take_back(recipient_refused=replies[1].code >= 400)
        return refusals[0]

    async def _take_back(self, *, recipient_refused: bool) -> None:
        """It wants a message that has nowhere to go: an empty one (RFC 2920 3.1), whatever it answers to that.

        Not if it accepted the recipient and refused the sender: that recipient might get it.
        """
        if not recipient_refused:
            self.close()
            return
        with suppress(ServerUnreachable):
            self._write(Phase.DOT, b".\r\n")
            await self._reply(Phase.DOT)

    async def _message(self, data: bytes, deadline: float | None) -> Reply | None:
        """Write all of it; a refusal if the server gives one before it has seen the end."""
        stuffed = _stuffed(data)
        last = (len(stuffed) - 1) // _CHUNK * _CHUNK
        for start in range(0, last + 1, _CHUNK):
            if start:
                await self._connection.room(self._timeouts.block)
            if self._connection.has_reply:
                refusal = await self._reply(Phase.DATA)
                self.close()
                return refusal
            if start == last:
                self._check(deadline)
            self._write(Phase.DATA, stuffed[start : start + _CHUNK])
        return None

    def _check(self, deadline: float | None) -> None:
        if deadline is not None and time.clock_gettime(_SINCE_BOOT) >= deadline:
            self.close()
            raise ServerUnreachable("the mail server took too long to ask for the message; it will be tried again.")

    def _write(self, phase: Phase, data: bytes) -> None:
        self._connection.write(phase, data)

    async def _reply(self, phase: Phase) -> Reply:
        return await self._connection.reply(phase, self._patience.get(phase, self._timeouts.command))


def _stuffed(data: bytes) -> bytes:
    """With the final dot, and every other one at a line's begin doubled (RFC 5321 4.5.2)."""
    if data.startswith(b"."):
        data = b"." + data
    end = b".\r\n" if data.endswith(b"\r\n") else b"\r\n.\r\n"
    return data.replace(b"\r\n.", b"\r\n..") + end
