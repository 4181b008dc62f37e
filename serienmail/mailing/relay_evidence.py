"""Asks a relay's log about mails in doubt, after leaving a mark in it that shows how far it has come."""

import asyncio
import logging
import secrets
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from aiosmtplib import SMTPException, SMTPResponseException

from serienmail.domain.doubt import Finding
from serienmail.domain.errors import TransportFailure
from serienmail.mailing.account import Account
from serienmail.mailing.log_file import lines_since, says, time_of
from serienmail.mailing.relay_log import RelayLog
from serienmail.mailing.smtp import connect

log = logging.getLogger(__name__)

_LOOK = 0.1  # seconds between two looks for the mark at the log's end
_LOOKS = 50
_ENOUGH = 20.0  # seconds for all of it: planning has 30
_MARGIN = timedelta(hours=3)
"""Clocks that differ, and the hour that a traditional time stamp without zone jumps twice a year."""
_TOO_LARGE = 10**15  # octets; Postfix refuses and logs what is above its message_size_limit, 10 MB unless set
_AT_ONCE = 5_000  # lines between two chances for others


class RelayEvidence:
    """For the accounts that name a log. settle: seconds that lines of different daemons may change places within."""

    def __init__(self, accounts: Mapping[str, Account], settle: float = 1.0) -> None:
        self._accounts = accounts
        self._settle = settle

    def traces(self, account: str) -> bool:
        """Whether this account's server shows what it accepted."""
        return account in self._accounts and self._accounts[account].relay_log is not None

    async def find(self, account: str, since: Mapping[str, datetime]) -> Mapping[str, Finding]:
        """What the log says about mails that nobody can hand over any more.

        since: when each was first claimed, by Message-ID. A log that can't be read proves nothing: then the answer is
        empty, and the worker's log says why.
        """
        sender = self._accounts[account]
        if sender.relay_log is None:
            return {}
        try:
            async with asyncio.timeout(_ENOUGH):
                return await self._read(sender, sender.relay_log, since)
        except (OSError, TimeoutError) as error:
            log.warning("the relay log of account %s decides nothing now: %r", account, error)
            return {}

    async def _read(self, account: Account, path: Path, since: Mapping[str, datetime]) -> Mapping[str, Finding]:
        end = (await asyncio.to_thread(path.stat)).st_size
        mark = await _leave_mark(account)
        ahead = await _clock_ahead(path, mark, end) if mark else None
        await asyncio.sleep(self._settle)
        now = datetime.now(UTC) + (ahead or timedelta())
        begins = {name: min(moment + (ahead or timedelta()), now) - _MARGIN for name, moment in since.items()}
        record = RelayLog(begins, mark if ahead is not None else None)
        lines = lines_since(path, min(begins.values()), now)
        reaches_back_to = None
        while some := await asyncio.to_thread(_feed, record, lines):
            reaches_back_to = reaches_back_to or next((time for line in some if (time := time_of(line, now))), None)
        return {
            name: finding
            for name, begin in begins.items()
            if (finding := record.finding(name)) is Finding.ACCEPTED or (reaches_back_to and reaches_back_to < begin)
        }


async def _leave_mark(account: Account) -> str | None:
    """A name said at EHLO by somebody whose mail is refused for its size, so that Postfix logs it; None if it isn't.

    Nothing is sent by that: it ends before there is a recipient.
    """
    mark = f"mark-{secrets.token_hex(16)}.invalid"
    try:
        client = await connect(account, None if account.tls == "none" else ssl.create_default_context(), name=mark)
    except TransportFailure:
        return None
    with suppress(SMTPException):
        try:
            await client.mail("", options=[f"SIZE={_TOO_LARGE}"])
        except SMTPResponseException:
            await client.quit()
            return mark
        await client.quit()
    client.close()
    return None


async def _clock_ahead(log: Path, mark: str, after: int) -> timedelta | None:
    """How far the log's clock is ahead of ours, seen in the mark's line; None if that doesn't show up."""
    for _ in range(_LOOKS):
        if line := await asyncio.to_thread(says, log, mark, after):
            now = datetime.now(UTC)
            stamp = time_of(line, now)
            return stamp - now if stamp else None
        await asyncio.sleep(_LOOK)
    return None


def _feed(record: RelayLog, lines: Iterator[bytes]) -> list[bytes]:
    """Some more lines; which."""
    some = list(islice(lines, _AT_ONCE))
    for line in some:
        record.feed(line)
    return some
