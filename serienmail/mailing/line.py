"""A sending account as one process uses it: its connections to the mail server, and its part of them."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol

from serienmail.domain.division import Share
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

    async def renew(self, account: str, mass_mails: Collection[str]) -> Share:
        """This process uses the account for these; to be said every few seconds while it does, and with none at last.

        Its share until it says so again.
        """


class Line:
    """slots: what of the account's connections is free here."""

    def __init__(
        self,
        name: str,
        account: Account,
        connections: Connections,
        transport: Callable[[Account, Callable[[], SendingLimits]], MailTransport],
    ) -> None:
        self.slots = Slots(lambda: self._share.connections, lambda mass_mail: self._share.weights.get(mass_mail, 1.0))
        self.transport = transport(account, lambda: self._own_limits)
        self._name = name
        self._connections = connections
        self._share = Share(SendingLimits(), 0)
        self._own_limits = SendingLimits(connections=0)
        self._users = Counter[str]()
        self._served = set[str]()  # since the last renewal
        self._beginning = asyncio.Lock()
        self._renewing: asyncio.Task[None] | None = None

    @property
    def connections(self) -> int:
        """The account's, of all processes together."""
        return self._share.limits.connections or 1

    @asynccontextmanager
    async def in_use(self, mass_mail: str) -> AsyncIterator[None]:
        """While it sends this mass mail, other processes leave this one its part."""
        self._users[mass_mail] += 1
        self._served.add(mass_mail)
        try:
            async with self._beginning:  # 20 slices begin at once: one of them asks
                if self._renewing is None:
                    await self._renew()
                    self._renewing = asyncio.create_task(self._keep_renewing())
            yield
        finally:
            self._users -= Counter([mass_mail])

    async def close(self) -> None:
        """End all connections; nothing may be in hand any more."""
        if self._renewing:
            self._renewing.cancel()
            await asyncio.wait([self._renewing])
        await self.transport.close()

    async def _keep_renewing(self) -> None:
        """Until it has been said that this process serves none any more."""
        pause, serves = RENEWED_FIRST, True
        while serves or self._served:
            await asyncio.sleep(pause)
            pause = min(2 * pause, RENEWED_EVERY)
            serves = bool(self._served)
            try:
                await self._renew()
            except Exception:  # without a database nothing is claimed either
                log.warning("an account's connections could not be divided anew", exc_info=True)
        self._renewing = None

    async def _renew(self) -> None:
        """A mass mail that was served since the last time counts: one mail after the other is still the same one."""
        served, self._served = self._served, set(self._users)
        self._share = await self._connections.renew(self._name, served)
        self._own_limits = replace(self._share.limits, connections=self._share.connections)
        self.slots.give()
