"""A connection to a mail server: octets out, replies in, and an end to all waiting."""

import asyncio
from collections import deque

from serienmail.domain.errors import ServerUnreachable
from serienmail.mailing.replies import Phase, Reply
from serienmail.mailing.reply_reader import Garbage, ReplyReader, WireReply

_CLOSING = 421
_GOODBYES = (221, _CLOSING)


class Connection(asyncio.Protocol):
    """Takes over a transport on which nothing is outstanding.

    Whatever goes wrong closes it, so that no reply is ever taken for another's. A reply that came before is still read.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._reader = ReplyReader()
        self._replies: deque[WireReply] = deque()
        self._paused = False
        self._gone = False
        self._changed: asyncio.Future[None] | None = None
        transport.set_protocol(self)

    @property
    def is_quiet(self) -> bool:
        """It is there, and nothing has been said on it that nobody has read."""
        return not self._is_gone and not self._replies and self._reader.is_between_replies

    @property
    def has_reply(self) -> bool:
        """There is one to be read, without waiting."""
        return bool(self._replies)

    @property
    def says_more(self) -> bool:
        """It has answered more than it was asked, so that nobody knows which answer is whose."""
        return any(reply.code not in _GOODBYES for reply in self._replies)

    def write(self, phase: Phase, data: bytes) -> None:
        """Hand it to the socket; ServerUnreachable if that is gone."""
        if self._is_gone:
            raise ServerUnreachable(f"the mail server hung up before {phase}; it will be tried again.")
        self._transport.write(data)

    async def room(self, seconds: float) -> None:
        """Wait until more of a message can be written, or the server says something."""
        for _ in range(2):  # rounds of the loop: a lost connection is reported in the next one, with TLS in the second
            await asyncio.sleep(0)
        while self._paused and not self._replies:
            await self._change(Phase.DATA, seconds)

    async def reply(self, phase: Phase, seconds: float) -> Reply:
        """The next one; ServerUnreachable, and the connection closed, if there is none that fits the phase."""
        while not self._replies:
            await self._change(phase, seconds)
        code, text = self._replies.popleft()
        if code == _CLOSING:  # RFC 5321 3.8: it hangs up now
            self.close()
        if code // 100 not in (4, 5, 3 if phase is Phase.DATA else 2):
            self.close()
            raise ServerUnreachable(f"the mail server answered {code} at {phase}; check that host and port are right.")
        return Reply(phase, code, text)

    def close(self) -> None:
        """Hang up at once; what isn't written yet never is."""
        self._gone = True
        self._transport.abort()
        self._wake()

    def close_when_written(self) -> None:
        """Hang up when the server has everything."""
        self._transport.close()

    @property
    def _is_gone(self) -> bool:
        return self._gone or self._transport.is_closing()  # the latter alone forgets it, with TLS

    async def _change(self, phase: Phase, seconds: float) -> None:
        """Wait for a reply or for room to write; ServerUnreachable if the connection is gone or the time is over."""
        if self._is_gone:
            raise ServerUnreachable(f"the mail server gave no answer to {phase}; it will be tried again.")
        self._changed = self._loop.create_future()
        timer = self._loop.call_later(seconds, self.close)
        try:
            await self._changed
        finally:
            timer.cancel()
            self._changed = None

    def _wake(self) -> None:
        if self._changed and not self._changed.done():
            self._changed.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        try:
            self._replies.extend(self._reader.feed(data))
        except Garbage:
            self.close()
        if self._replies:
            self._wake()

    def eof_received(self) -> None:
        """Called by the loop, which then closes the connection."""
        self._gone = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self._gone = True
        self._wake()

    def pause_writing(self) -> None:
        """Called by the loop."""
        self._paused = True

    def resume_writing(self) -> None:
        """Called by the loop."""
        self._paused = False
        self._wake()
