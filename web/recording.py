"""What recipients do is written to the database; while that is away, to a file, and from there later."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Literal, Protocol

from serienmail.domain.judging import Visit
from serienmail.mailing.links import MailRef
from serienmail.storage.group_commit import GroupCommit
from serienmail.storage.visits import VisitTo
from web.spool import Entry, Spool

PATIENCE = 2.0
"""Seconds that a request waits for the database before what it brought goes to the file."""
BATCH = 500
PAUSE = 1.0
"""Seconds between two tries to empty the file."""
JUDGING = 5.0
"""Seconds between two looks for visits to judge."""
OptOut = Literal["unsubscribed", "all_unsubscribed", "subscribed"]
log = logging.getLogger(__name__)


class Visits(Protocol):
    """Where visits are kept and judged."""

    async def record(self, visits: Sequence[VisitTo]) -> None:
        """Keep these. Safe to repeat."""

    async def judge(self, now: datetime) -> int:
        """Judge some of those whose time has come; how many."""


class OptOuts(Protocol):
    """Where opt-outs are recorded."""

    async def unsubscribed(self, number: int, stage: int, seq: int, at: datetime, *, everything: bool = False) -> bool:
        """No more mail of this mail's topic to its address, or of any; False if there is no such mail."""

    async def subscribed(self, number: int, stage: int, seq: int, at: datetime) -> bool:
        """Take back every opt-out of this mail's address; False if there is no such mail."""


class Recording:
    """Both ways. What it took is in the database or on the disk; entries of the file are written in their order."""

    def __init__(self, visits: Visits, opt_outs: OptOuts, spool: Spool) -> None:
        self._visits, self._opt_outs, self._spool = visits, opt_outs, spool
        self._commit = GroupCommit(self._record, BATCH)
        self._away = not spool.is_empty

    async def visited(self, visit: VisitTo) -> None:
        """Keep a visit. OSError if neither way can be gone."""
        if not await self._written(self._commit(visit)):
            await self._spool.append(_visit_entry(visit))

    async def opted(self, what: OptOut, mail: MailRef, at: datetime) -> None:
        """Keep an opt-out, or that it is taken back. OSError if neither way can be gone."""
        if not await self._written(self._apply(what, mail, at)):
            await self._spool.append({"what": what, "mail": asdict(mail), "at": at.isoformat()})

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Empty the file and judge, as long as this is open; then the file is free for another process."""
        both = (self._always(self.drain, PAUSE), self._always(self._judge, JUDGING))
        tasks = [asyncio.create_task(work) for work in both]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._spool.close()

    async def drain(self) -> None:
        """Write what the file has; an exception if the database is still away."""
        while not self._spool.is_empty:
            for are_visits, entries in groupby(await self._spool.leaving(), key=_is_visit):
                write = self._write_visits if are_visits else self._write_opt_outs
                await write(list(entries))
            await self._spool.gone()
        self._away = False

    async def _written(self, writing: Coroutine[Any, Any, None]) -> bool:
        """Whether the database took it; from the first failure on nobody waits for it until the file is empty."""
        if self._away:
            writing.close()
            return False
        try:
            async with asyncio.timeout(PATIENCE):
                await writing
        except Exception as error:  # each driver has its own, and all mean the same here
            log.warning("the database doesn't write (%s); the file keeps what comes", type(error).__name__)
            self._away = True
            return False
        return True

    async def _record(self, visits: Sequence[VisitTo]) -> Sequence[None]:
        await self._visits.record(visits)
        return [None] * len(visits)

    async def _apply(self, what: OptOut, mail: MailRef, at: datetime) -> None:
        if what == "subscribed":
            await self._opt_outs.subscribed(mail.number, mail.stage, mail.seq, at)
        else:
            everything = what == "all_unsubscribed"
            await self._opt_outs.unsubscribed(mail.number, mail.stage, mail.seq, at, everything=everything)

    async def _write_visits(self, entries: Sequence[Entry]) -> None:
        for start in range(0, len(entries), BATCH):
            await self._visits.record([_visit_of(entry) for entry in entries[start : start + BATCH]])

    async def _write_opt_outs(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            await self._apply(entry["what"], MailRef(**entry["mail"]), datetime.fromisoformat(entry["at"]))

    async def _judge(self) -> None:
        while await self._visits.judge(datetime.now(UTC)):
            pass

    async def _always(self, work: Callable[[], Awaitable[None]], pause: float) -> None:
        while True:
            try:
                await work()
            except Exception as error:
                log.warning("the database is away: %s", type(error).__name__)
            await asyncio.sleep(pause)


def _is_visit(entry: Entry) -> bool:
    return bool(entry["what"] == "visited")


def _visit_entry(visit: VisitTo) -> Entry:
    named = asdict(visit)
    named["visit"]["at"] = visit.visit.at.isoformat()
    return {"what": "visited", **named}


def _visit_of(entry: Mapping[str, Any]) -> VisitTo:
    came = Visit(**entry["visit"] | {"at": datetime.fromisoformat(entry["visit"]["at"])})
    return VisitTo(**{name: entry[name] for name in ("id", "number", "stage", "seq")}, visit=came)
