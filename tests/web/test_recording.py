"""Nothing that the web process took is lost, though the database is away and the process is killed."""

import asyncio
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx
from sqlalchemy import select

from serienmail.domain.judging import MachineList
from serienmail.mailing.links import Links, MailRef
from serienmail.storage.database import Database
from serienmail.storage.migration import migrate
from serienmail.storage.tables import suppression, visit
from serienmail.storage.tracking import Tracking
from serienmail.storage.visits import VisitStore
from tests.web.conftest import BrokenStorage, a_mass_mail
from tests.web.test_main import started, until_it_runs
from tests.web.test_visitors import a_visit
from web.recording import Recording
from web.spool import Spool

MAIL = MailRef(number=1, stage=0, seq=1)
MAILS = 20
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def visited(database: Database) -> Sequence[int]:
    """The mails of which visits are kept."""
    async with database.read() as connection:
        return (await connection.execute(select(visit.c.seq).order_by(visit.c.seq))).scalars().all()


async def suppressed(database: Database) -> Sequence[str]:
    """Who gets no more mail."""
    async with database.read() as connection:
        return (await connection.execute(select(suppression.c.address_key))).scalars().all()


async def test_what_came_while_the_database_was_away_is_written_when_it_is_back(
    database: Database, tmp_path: Path
) -> None:
    await a_mass_mail(database, {})
    away, spool = BrokenStorage(), Spool(tmp_path)
    without = Recording(away, away, spool)
    await asyncio.gather(*(without.visited(a_visit(MAIL)) for _ in range(10)))
    await without.opted("all_unsubscribed", MAIL, NOON)
    asked = away.asked
    await without.visited(a_visit(MAIL))
    assert away.asked == asked  # nobody waits for a database that is known to be away
    spool.close()

    again = Spool(tmp_path)
    recording = Recording(VisitStore(database, MachineList()), Tracking(database), again)
    await recording.drain()
    assert again.is_empty
    assert await visited(database) == [1] * 11
    assert await suppressed(database) == ["anna@example.org"]
    again.close()


async def test_decisions_that_wait_in_the_file_keep_their_order_with_those_after_them(
    database: Database, tmp_path: Path
) -> None:
    await a_mass_mail(database, {})
    away, spool = BrokenStorage(), Spool(tmp_path)
    await Recording(away, away, spool).opted("unsubscribed", MAIL, NOON)
    recording = Recording(VisitStore(database, MachineList()), Tracking(database), spool)
    await recording.opted("subscribed", MAIL, NOON)
    await recording.drain()
    assert await suppressed(database) == []
    spool.close()


async def test_a_web_process_that_is_killed_while_the_database_is_away_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "serienmail.db"
    database = Database(f"sqlite+aiosqlite:///{file}")
    await migrate(database)
    mails = [{"address_key": f"{n}@example.org", "address": f"{n}@example.org"} for n in range(MAILS)]
    await a_mass_mail(database, *mails)
    await database.close()
    file.rename(tmp_path / "elsewhere")
    file.mkdir()  # no database can be opened under this name
    port, links = free_port(), Links("", b"0123456789abcdef0123456789abcdef")
    async with started(database.url, port, spool=tmp_path / "spool") as process, asked(port) as client:
        await until_it_runs(process)
        opens = [client.get(links.pixel_url(MailRef(1, 0, seq))) for seq in range(1, MAILS + 1)]
        answers = await asyncio.gather(*opens, client.post(links.unsubscribe_url(MAIL)))
        assert [answer.status_code for answer in answers] == [200] * (MAILS + 1)
        process.kill()
        await process.wait()
    file.rmdir()
    (tmp_path / "elsewhere").rename(file)
    async with started(database.url, port, spool=tmp_path / "spool") as process:
        await until_it_runs(process)
        async with asyncio.timeout(20):
            while True:
                if len(await visited(database)) == MAILS and await suppressed(database):
                    break
                await asyncio.sleep(0.1)
    assert await visited(database) == list(range(1, MAILS + 1))
    assert await suppressed(database) == ["0@example.org"]
    await database.close()


def free_port() -> int:
    """One that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def asked(port: int) -> httpx.AsyncClient:
    """A client of the process on this port."""
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)
