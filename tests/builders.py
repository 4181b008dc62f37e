"""Building blocks of tests: an order, contacts, a stage that may send, and its rows in the ledger."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from serienmail.domain.delivery import Claimed, SliceJob, SliceRange, StageKey
from serienmail.domain.judging import QUIET, MachineList, Visit
from serienmail.domain.loading import Load
from serienmail.domain.mass_mail import MassMail, OnMissing
from serienmail.domain.provider import Providers
from serienmail.domain.sending_limits import SendingLimits
from serienmail.storage.contacts import ContactRow, ContactStore
from serienmail.storage.database import Database
from serienmail.storage.ledger import Ledger
from serienmail.storage.loading import RecipientStore
from serienmail.storage.mass_mails import MassMailStore
from serienmail.storage.shaping import Shaping
from serienmail.storage.tables import delivery
from serienmail.storage.visits import VisitStore, VisitTo

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
KEY = StageKey("autumn", 0)


def an_order(**changes: Any) -> MassMail:
    """Anna's order of the mass mail ``autumn``."""
    order = MassMail(id="autumn", name="Herbst", created_by="anna", account="main", template="autumn@1")
    return replace(order, **changes)


def a_contact(number: int, **changes: Any) -> ContactRow:
    """Somebody with an address of their own, opted in, who agreed to be measured."""
    row = ContactRow(key=str(number), email=f"person{number}@example.org", opt_in=True, tracking=True)
    return replace(row, **changes)


def a_load(key: StageKey = KEY, **changes: Any) -> Load:
    """Everyone who is opted in."""
    load = Load(key=key, revision=1, opted_in_only=True, on_missing=OnMissing.REFUSE, templates=("autumn@1",))
    return replace(load, **changes)


def a_job(first: int = 1, last: int = 10_000, **changes: Any) -> SliceJob:
    """A slice of ``autumn`` in its first epoch; all of it unless told otherwise."""
    job = SliceJob(KEY, 1, SliceRange(first, last), "autumn@1", "main", measured=True, opted_in_only=True)
    return replace(job, **changes)


def a_ledger(
    database: Database,
    limits: SendingLimits | None = None,
    providers: Providers | None = None,
    most_recipients: int | None = None,
) -> Ledger:
    """As one worker has it. limits: of the account ``main``."""
    shaping = Shaping(database, {"main": limits or SendingLimits()}, providers or Providers())
    return Ledger(database, _message_id, shaping, most_recipients)


def _message_id(account: str, number: int, stage: int, seq: int) -> str:
    return f"<{number}.{stage}.{seq}@{account}>"


async def an_open_stage(database: Database, contacts: int | Sequence[ContactRow]) -> Ledger:
    """``autumn``, loaded with these recipients and open for epoch 1."""
    rows = [a_contact(number + 1) for number in range(contacts)] if isinstance(contacts, int) else contacts
    await ContactStore(database).save(rows)
    await MassMailStore(database).create(an_order(), NOON)
    await RecipientStore(database).load(a_load(), NOON)
    ledger = a_ledger(database)
    await ledger.open_stage(KEY, 1)
    return ledger


async def a_person_opens(database: Database, seq: int, at: datetime, *, number: int = 1, link: int = 0) -> None:
    """Somebody opens a mail of a stage 0, or clicks on a link in it, and is judged to be a person."""
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
    visits = VisitStore(database, MachineList())
    await visits.record([VisitTo(uuid4().hex, number, 0, seq, Visit(at=at, link=link, agent=firefox))])
    await visits.judge(at + QUIET)


async def claim(ledger: Ledger, job: SliceJob, now: datetime) -> Claimed | None:
    """The next due row of the slice, by a lane that reads the slice for it."""
    return await (await ledger.slice(job, now)).next(now)


async def rows(database: Database, key: StageKey = KEY) -> list[Any]:
    """A stage's rows, by seq."""
    query = select(delivery).where(delivery.c.mass_mail_id == key.mass_mail_id, delivery.c.stage == key.stage)
    async with database.read() as connection:
        return list((await connection.execute(query.order_by(delivery.c.seq))).all())


async def states(database: Database, key: StageKey = KEY) -> list[str]:
    """Each row's state, with an exclusion's reason after a colon."""
    return [f"{row.state}:{row.reason}" if row.reason else row.state for row in await rows(database, key)]
