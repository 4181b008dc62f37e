"""Which processes send on an account just now, and for which mass mails, so that they can divide it."""

import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from serienmail.domain.division import Part, divide
from serienmail.domain.shaping import Scope
from serienmail.storage.database import Database
from serienmail.storage.shapes import ensure_rows, lock_documents, write_document

GONE_AFTER = 15.0
"""Seconds without a renewal: the process is dead, or stands still."""
HAS_NOTICED_AFTER = 2.0
"""Seconds without a renewal: others take what is theirs by now, though it may not have left it: it is slow, or dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """since, last: seconds, of the first and last renewal. begin, end: the part that it took then.

    Read and written by workers of several versions during a deploy: what one doesn't know is ignored, what it misses
    has a default.
    """

    last: float
    since: float = 0.0
    serves: Sequence[str] = ()
    begin: float = 0.0
    end: float = 0.0


_ENTRY = TypeAdapter(_Entry)


class Presence:
    """This process among all. clock: seconds since 1970, on all machines alike."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._me = secrets.token_hex(8)
        self._there: set[str] = set()

    async def renew(self, account: str, mass_mails: Collection[str]) -> Part:
        """Say for which mass mails this process uses the account; its part until it says so again."""
        scope = Scope("connections", account)
        if account not in self._there:
            await ensure_rows(self._database, [scope])
            self._there.add(account)
        async with self._database.write() as connection:
            document = (await lock_documents(connection, [scope]))[scope]
            part, changed = self._renewed(document, sorted(mass_mails))
            await write_document(connection, scope, changed)
        return part

    def _renewed(self, document: Mapping[str, Any], mass_mails: Sequence[str]) -> tuple[Part, Mapping[str, Any]]:
        """A part that nobody else has, and the document that says so. Others' entries stay as they wrote them."""
        now = self._clock()
        seen = {process: _ENTRY.validate_python(entry) for process, entry in document.items()}
        others = {process: each for process, each in seen.items() if now - each.last < GONE_AFTER}
        since = others.pop(self._me, _Entry(last=now, since=now)).since
        serving = [(since, self._me, mass_mails), *((each.since, who, each.serves) for who, each in others.items())]
        part = divide((process, serves) for _, process, serves in sorted(serving))[self._me]
        for each in others.values():
            if now - each.last < HAS_NOTICED_AFTER:
                part = part.without(each.begin, each.end)
        entry = _Entry(last=now, since=since, serves=mass_mails, begin=part.begin, end=part.end)
        return part, {**{process: document[process] for process in others}, self._me: asdict(entry)}
