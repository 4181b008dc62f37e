"""The numbers of a mass mail taken apart, counted when they are asked for."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, and_, cast, distinct, func, literal, select, text, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.breakdown import TAKEN_APART, Breakdown, LinkClicks, Moment, Part, by_provider, largest
from serienmail.domain.provider import Providers
from serienmail.domain.statistics import Number
from serienmail.storage.counting import counted_by
from serienmail.storage.database import Database
from serienmail.storage.rows import domain_of
from serienmail.storage.tables import delivery, event, measured_link

_WHEN = {
    Number.SENT: delivery.c.finished_at,
    Number.BOUNCED: delivery.c.bounced_at,
    Number.OPENED: delivery.c.opened_at,
    Number.CLICKED: delivery.c.clicked_at,
    Number.UNSUBSCRIBED: delivery.c.unsubscribed_at,
}
_MAIL = cast(event.c.stage, BigInteger) * 4_294_967_296 + event.c.seq
"""A mail as one number, for counting each once."""


class BreakdownStore:
    """Reads all rows of a mass mail, a second or two for a million; never writes."""

    def __init__(self, database: Database, providers: Providers) -> None:
        self._database = database
        self._providers = providers

    async def of(self, mass_mail_id: str, stage: int | None = None) -> Breakdown:
        """Of one stage, or all together; empty if there is no such mass mail."""
        async with self._database.read() as connection:
            domains = largest(await _domains(connection, mass_mail_id, stage))
            return Breakdown(
                domains=domains,
                providers=by_provider(domains, self._providers),
                hours=await _hours(connection, mass_mail_id, stage),
                links=await _links(connection, mass_mail_id, stage),
                machines=await _machines(connection, mass_mail_id, stage),
            )


def _of(table: Any, mass_mail_id: str, stage: int | None) -> ColumnElement[bool]:
    of_mass_mail: ColumnElement[bool] = table.c.mass_mail_id == mass_mail_id
    return of_mass_mail if stage is None else and_(of_mass_mail, table.c.stage == stage)


async def _domains(connection: AsyncConnection, mass_mail_id: str, stage: int | None) -> list[Part]:
    # grouped by its label: PostgreSQL doesn't see that the expression's parameters are the same twice
    numbers = [func.count().filter(counted_by(number)).label(number) for number in TAKEN_APART]
    domain = func.coalesce(domain_of(delivery.c.address_key), "").label("domain")
    sent = and_(_of(delivery, mass_mail_id, stage), counted_by(Number.SENT))
    rows = await connection.execute(select(domain, *numbers).where(sent).group_by(text("domain")))
    return [Part(row.domain, {number: getattr(row, number) for number in TAKEN_APART}) for row in rows]


async def _hours(connection: AsyncConnection, mass_mail_id: str, stage: int | None) -> Sequence[Moment]:
    of_mass_mail = _of(delivery, mass_mail_id, stage)
    counted = []
    for number, when in _WHEN.items():
        hour = _hour(connection, when).label("hour")
        these = and_(of_mass_mail, counted_by(number), when.is_not(None))
        counted.append(select(literal(number.value).label("number"), hour, func.count().label("mails"))
                       .where(these).group_by(text("hour")))  # fmt: skip
    hours: dict[datetime, Counter[Number]] = {}
    for row in (await connection.execute(union_all(*counted))).all():
        at = datetime.fromisoformat(f"{row.hour}:00:00+00:00")
        hours.setdefault(at, Counter(dict.fromkeys(_WHEN, 0)))[Number(row.number)] = row.mails
    return [Moment(at, dict(numbers)) for at, numbers in sorted(hours.items())]


def _hour(connection: AsyncConnection, when: ColumnElement[Any]) -> ColumnElement[str]:
    """As 2026-03-02T12, in UTC. The databases have no function for it in common."""
    if connection.dialect.name == "postgresql":
        return func.to_char(func.timezone("UTC", when), 'YYYY-MM-DD"T"HH24')
    return func.strftime("%Y-%m-%dT%H", when)


async def _links(connection: AsyncConnection, mass_mail_id: str, stage: int | None) -> Sequence[LinkClicks]:
    clicked = event.c.kind == "clicked"
    rows: Sequence[Row[Any]] = (
        await connection.execute(
            select(
                measured_link.c.url,
                func.count().filter(clicked).label("clicks"),
                func.count(distinct(_MAIL)).filter(clicked).label("people"),
                func.count().filter(~clicked).label("machines"),
            )
            .join(event, event.c.link == measured_link.c.id)
            .where(_of(event, mass_mail_id, stage), event.c.kind.in_(("clicked", "machine_clicked")))
            .group_by(measured_link.c.url)
        )
    ).all()
    most_first = sorted(rows, key=lambda row: (-row.clicks, row.url))
    return [LinkClicks(row.url, row.clicks, row.people, row.machines) for row in most_first]


async def _machines(connection: AsyncConnection, mass_mail_id: str, stage: int | None) -> dict[str, int]:
    mails = func.count(distinct(_MAIL)).label("mails")
    query = select(event.c.detail, mails).where(
        _of(event, mass_mail_id, stage), event.c.kind.in_(("machine_opened", "machine_clicked"))
    )
    return {row.detail: row.mails for row in await connection.execute(query.group_by(event.c.detail))}
