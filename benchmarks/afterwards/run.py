"""One campaign with three follow-ups on the real parts, with everything that comes back, counted twice."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy import distinct, func, select

from benchmarks.afterwards.reading import DOMAIN, Scripted
from benchmarks.afterwards.script import FOLLOW_UPS, LINKS, Person, draw, expected
from serienmail.domain.mass_mail import Audience, FollowUp, MassMail
from serienmail.domain.statistics import Number, Statistics
from serienmail.domain.template import Template
from serienmail.mailing.links import Links
from serienmail.storage.contacts import ContactRow
from serienmail.storage.database import Database
from serienmail.storage.tables import event
from starter.environment import ACCOUNT, MARKETING, Embedded, Ports, embedded
from starter.weeks import Weeks

MASS_MAIL, OWNER = "afterwards", "a.schmidt"
_TEMPLATE = Template(
    "afterwards",
    "Afterwards",
    text="{{ salutation }}",
    html="<p>{{ salutation }}</p>"
    + "".join(f'<p><a href="https://www.example.com/{n}">{n}</a></p>' for n in range(LINKS)),
)


@dataclass(frozen=True, slots=True)
class Compared:
    """One number: as the script says, and as it was found."""

    what: str
    expected: int
    got: int


@dataclass(frozen=True, slots=True)
class Result:
    """events: requests and bounces that were played; lost: of those the ones of which nothing is stored.

    seconds: that playing them took, at events_per_second.
    """

    recipients: int
    seed: int
    compared: Sequence[Compared]
    events: int
    events_lost: int
    events_per_second: float
    seconds: float
    agree: bool


async def run(recipients: int, seed: int, folder: Path) -> Result:
    """Play it, and compare. What it leaves behind lies in ``folder``."""
    people = draw(recipients, seed)
    sender = MARKETING.model_copy(update={"bounce_domain": DOMAIN})
    async with embedded(folder, Ports(ui=0), sender=sender) as environment, _listener(environment) as port:
        async with httpx.AsyncClient(timeout=60, limits=_EACH_COMES_ANEW) as http:
            links = Links(environment.web_url, environment.settings.link_key.get_secret_value().encode())
            reader = Scripted(http, links, port, {address(person.number): person for person in people})
            await _start(environment, people)
            await Weeks(environment, MASS_MAIL, reader, _nothing).live_through()
        database = environment.mails.services.database
        got = _numbers(await environment.mails.statistics(MASS_MAIL))
        got["mails that a machine opened"] = await _count(database, distinct(event.c.seq), "machine_opened")
        got["follow-up mails in the wrong inbox"] = _misdirected(people, reader.got)
        played = sum(person.events for person in people)
        stored = await _count(database, event.c.id, *_STORED)
        compared = [Compared(what, number, got[what]) for what, number in expected(people).items()]
        return Result(
            recipients=recipients,
            seed=seed,
            compared=compared,
            events=played,
            events_lost=played - stored,
            events_per_second=round(played / reader.seconds, 1),
            seconds=round(reader.seconds, 1),
            agree=played == stored and all(each.expected == each.got for each in compared),
        )


_EACH_COMES_ANEW = httpx.Limits(max_keepalive_connections=0)
"""As people do. A kept connection may be closed at the very moment at which it is used again."""
_STORED = ("opened", "clicked", "machine_opened", "machine_clicked", "bounced", "unsubscribed")


def address(number: int) -> str:
    """Of the person of this number."""
    return f"person{number}@example.org"


async def _start(environment: Embedded, people: Sequence[Person]) -> None:
    mails = environment.mails
    contacts = [
        ContactRow(key=str(who.number), email=address(who.number), opt_in=True, tracking=who.measured) for who in people
    ]
    await mails.services.contacts.save(contacts)
    await mails.services.templates.add(_TEMPLATE, datetime.now(UTC))
    follow_ups = tuple(
        FollowUp(template=_TEMPLATE.name, audience=Audience(audience), after=timedelta(days=days))
        for days, audience in enumerate(FOLLOW_UPS, start=1)
    )
    order = MassMail(
        id=MASS_MAIL,
        name="Afterwards",
        created_by=OWNER,
        account=ACCOUNT,
        template=_TEMPLATE.name,
        follow_ups=follow_ups,
    )
    await mails.start(order)


async def _nothing() -> None:
    """Nobody looks."""


def _numbers(statistics: Statistics) -> dict[str, int]:
    found = {f"mass mail: {number}": count for number, count in statistics.stages[0].numbers.items()}
    for stage, audience in enumerate(FOLLOW_UPS, start=1):
        numbers = statistics.stages[stage].numbers
        for number in (Number.SELECTED, Number.EXCLUDED, Number.SENT):
            found[f"follow-up to {audience}: {number}"] = numbers[number]
    return found


def _misdirected(people: Sequence[Person], got: Mapping[int, Sequence[str]]) -> int:
    """Follow-up mails that somebody got who shouldn't, or twice, or didn't get."""
    wrong = 0
    for stage, is_in in enumerate(FOLLOW_UPS.values(), start=1):
        meant = {address(person.number) for person in people if person.gets_more and is_in(person)}
        arrived = got.get(stage, ())
        wrong += len(meant.symmetric_difference(arrived)) + len(arrived) - len(set(arrived))
    return wrong


async def _count(database: Database, what: object, *kinds: str) -> int:
    counted = select(func.count(what)).where(event.c.mass_mail_id == MASS_MAIL, event.c.kind.in_(kinds))  # type: ignore[arg-type]
    async with database.read() as connection:
        return int((await connection.execute(counted)).scalar_one())


@asynccontextmanager
async def _listener(environment: Embedded) -> AsyncIterator[int]:
    """The real listener, as a process of its own; its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    variables = {**os.environ, **environment.variables}
    with (environment.folder / "listener.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "web.listener", "--port", str(port)), stdout=log, stderr=log, env=variables
        )
    try:
        await _until_listening(port)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _until_listening(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return
