"""A sending account as one process uses it: its connections to the mail server, and its part of them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from serienmail.domain.sending_limits import SendingLimits
from serienmail.mailing.account import Account
from serienmail.mailing.message import Mail
from serienmail.mailing.replies import InDoubt, Reply
from serienmail.mailing.slots import Slots

log = logging.getLogger(__name__)

RENEWED_FIRST, RENEWED_EVERY = 0.1, 1.0
"""Seconds. Often at first: processes that begin together wait until each has noticed the others."""


class MailTransport(Protocol):
    """Hands mails over on one account."""

    async def send(self, mail: Mail, *, deadline: float | None = None) -> Reply | InDoubt:
        """TransportFailure if nothing was handed over, as from the deadline (seconds on CLOCK_BOOTTIME) on."""

    async def close(self) -> None:
        """End all connections."""


class Connections(Protocol):
    """What of an account's connections this process may use, beside others that use it."""

    async def renew(self, account: str) -> None:
        """This process uses the account; to be said every few seconds while it does."""

    def own_limits(self, account: str) -> SendingLimits:
        """As they are since the last renewal; connections: of this process."""


class Line:
    """slots: what of the account's connections is free here."""

    def __init__(
        self,
        name: str,
        account: Account,
        connections: Connections,
        transport: Callable[[Account, Callable[[], SendingLimits]], MailTransport],
    ) -> None:
        self.slots = Slots(lambda: self.limits().connections or 0)
        self.transport = transport(account, self.limits)
        self._name = name
        self._connections = connections
        self._users = 0
        self._renewing: asyncio.Task[None] | None = None

    def limits(self) -> SendingLimits:
        """This process's part of the account's, just now."""
        return self._connections.own_limits(self._name)

    async def prepare(self) -> None:
        """Ask for a part, unless it is in use and has one."""
        if not self._users:
            await self._connections.renew(self._name)

    @asynccontextmanager
    async def in_use(self) -> AsyncIterator[None]:
        """While anybody does, other processes leave this one its part."""
        self._users += 1
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            self._users -= 1
            if not self._users and self._renewing:
                self._renewing.cancel()
                self._renewing = None

    async def _renew(self) -> None:
        pause = RENEWED_FIRST
        while True:
            await asyncio.sleep(pause)
            pause = min(2 * pause, RENEWED_EVERY)
            try:
                await self._connections.renew(self._name)
            except Exception:  # without a database nothing is claimed either
                log.warning("an account's connections could not be divided anew", exc_info=True)
