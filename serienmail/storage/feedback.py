"""Keeps what comes back about mails, each thing once, and carries out what follows from it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, delete, distinct, false, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.consent import Consent, Purpose
from serienmail.domain.contact import CONTACTS
from serienmail.domain.delivery import MailRef, StageKey
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.feedback import (
    SOFT_BOUNCES_COUNT_FOR,
    UNDELIVERED,
    Feedback,
    Happening,
    Severity,
    proves_hand_over,
    reason_to_suppress,
)
from serienmail.domain.states import OPEN_STATES, DeliveryState
from serienmail.domain.suppression import Suppression, SuppressionReason
from serienmail.storage.consents import record_consents
from serienmail.storage.database import Database
from serienmail.storage.doubt import arrived
from serienmail.storage.rows import ended_as, rows_of
from serienmail.storage.suppressions import hold_off_erasures, suppress
from serienmail.storage.tables import contact, delivery, event, feedback, mass_mail
from serienmail.storage.triggers import keep_set_off

LONGEST_DETAIL = 1000
MOST_OF_ONE_MAIL = 100
"""Whoever has a mail has its tokens, and could else fill the disk."""

_FIRST_TIMES = {
    **dict.fromkeys(UNDELIVERED, delivery.c.bounced_at),
    Happening.DELIVERED: delivery.c.delivered_at,
    Happening.COMPLAINED: delivery.c.complained_at,
    Happening.REPLIED: delivery.c.replied_at,
    Happening.UNSUBSCRIBED: delivery.c.unsubscribed_at,
}


class FeedbackStore:
    """The one way in for bounces, complaints, reports and replies, however they came.

    patience: soft bounces of so many mass mails are enough to suppress an address. kept_for: days that what matches no
    mail is kept, for it may name people whom nobody could find in it.
    """

    def __init__(self, database: Database, patience: int, kept_for: int = 30) -> None:
        self._database = database
        self._patience = patience
        self._kept_for = timedelta(days=kept_for)

    async def record(self, news: Sequence[Feedback]) -> None:
        """Keep these; returns when they and what follows from them are committed. Safe to repeat."""
        for each in news:
            async with self._database.write() as connection:
                await self._record(connection, each)

    async def _record(self, connection: AsyncConnection, news: Feedback) -> None:
        await hold_off_erasures(connection)
        mail = await _find(connection, news.mail)
        if mail is not None and await _has_enough(connection, mail):
            return
        if not await _is_new(connection, news, mail):
            return
        if mail is None:
            old = delete(feedback).where(feedback.c.mass_mail_id.is_(None), feedback.c.at < news.at - self._kept_for)
            await connection.execute(old)
            return
        reason = reason_to_suppress(news, await _soft_bounces(connection, mail, news.at), self._patience)
        entries = [_entry(mail, reason, news.at)] if reason else []
        unwanted = _follow_ups(mail, news)
        # also locks the mail's own row and those that the answer makes unwanted, in the usual order
        await suppress(connection, entries, also=or_(_is(mail), unwanted))
        excluded = {"state": ended_as(DeliveryState.EXCLUDED), "reason": Exclusion.REPLIED}
        await connection.execute(update(delivery).where(unwanted).values(excluded))
        await _mark(connection, mail, news)
        if reason is SuppressionReason.UNSUBSCRIBED:
            await record_consents(connection, [_withdrawal(mail, news)])


def _mail(ref: MailRef) -> Select[Any]:
    """A row without an address never became a mail, and nothing comes back from one that was excluded."""
    return (
        select(delivery, mass_mail.c.status, contact.c.key.label("contact_key"), contact.c.module)
        .join(mass_mail, mass_mail.c.id == delivery.c.mass_mail_id)
        .outerjoin(contact, contact.c.id == delivery.c.contact_id)
        .where(mass_mail.c.number == ref.number, delivery.c.stage == ref.stage, delivery.c.seq == ref.seq)
        .where(delivery.c.address_key.is_not(None), delivery.c.state != DeliveryState.EXCLUDED)
    )


async def _find(connection: AsyncConnection, ref: MailRef | None) -> Row[Any] | None:
    return (await connection.execute(_mail(ref))).one_or_none() if ref else None


def _is(mail: Row[Any]) -> ColumnElement[bool]:
    return and_(rows_of(StageKey(mail.mass_mail_id, mail.stage)), delivery.c.seq == mail.seq)


def _follow_ups(mail: Row[Any], news: Feedback) -> ColumnElement[bool]:
    """What is loaded already and still due to whoever answered, if the order says that nothing more goes to them."""
    if news.kind is not Happening.REPLIED or not mail.status.get("order", {}).get("stop_on_reply"):
        return false()
    same = and_(delivery.c.mass_mail_id == mail.mass_mail_id, delivery.c.contact_id == mail.contact_id)
    return and_(same, delivery.c.stage > 0, delivery.c.state.in_(OPEN_STATES))


async def _has_enough(connection: AsyncConnection, mail: Row[Any]) -> bool:
    of_mail = [feedback.c[name] == getattr(mail, name) for name in ("mass_mail_id", "stage", "seq")]
    counted = select(func.count()).select_from(feedback).where(*of_mail)
    return (await connection.execute(counted)).scalar_one() >= MOST_OF_ONE_MAIL


async def _is_new(connection: AsyncConnection, news: Feedback, mail: Row[Any] | None) -> bool:
    """Keep it, unless it is there already; whether it wasn't."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = {"id": _storable(news.id), "kind": news.kind, "severity": news.severity or "", "at": news.at}
    row |= {"detail": _storable(news.detail)[:LONGEST_DETAIL]}
    if mail is not None:
        row |= {name: getattr(mail, name) for name in ("mass_mail_id", "stage", "seq", "address_key")}
    kept = await connection.execute(dialect.insert(feedback).values(row).on_conflict_do_nothing())
    return bool(kept.rowcount)


def _storable(text: str) -> str:
    """Without what no database takes: NUL, and halves of characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


async def _soft_bounces(connection: AsyncConnection, mail: Row[Any], at: datetime) -> int:
    """Of how many mass mails, lately."""
    counted = select(func.count(distinct(feedback.c.mass_mail_id))).where(
        feedback.c.address_key == mail.address_key,
        feedback.c.kind == Happening.BOUNCED,
        feedback.c.severity == Severity.SOFT,
        feedback.c.at > at - SOFT_BOUNCES_COUNT_FOR,
    )
    return int((await connection.execute(counted)).scalar_one())


def _entry(mail: Row[Any], reason: SuppressionReason, at: datetime) -> Suppression:
    return Suppression(address_key=mail.address_key, reason=reason, since=at, source=mail.mass_mail_id)


async def _mark(connection: AsyncConnection, mail: Row[Any], news: Feedback) -> None:
    """On the delivery the first time of its kind, among the events each; but not what proves nothing."""
    if not proves_hand_over(news.kind):
        return
    column = _FIRST_TIMES.get(news.kind)
    if column is not None:
        await connection.execute(update(delivery).where(_is(mail), column.is_(None)).values({column: news.at}))
    await connection.execute(arrived(_is(mail), news.at))
    row = {name: getattr(mail, name) for name in ("mass_mail_id", "stage", "seq")}
    row |= {"kind": news.kind, "at": news.at, "detail": news.severity or ""}
    await connection.execute(insert(event).values(row))
    await keep_set_off(connection, [row])


def _withdrawal(mail: Row[Any], news: Feedback) -> Consent:
    return Consent(
        module=mail.module or CONTACTS,
        contact_key=mail.contact_key or "",
        address_key=mail.address_key,
        purpose=Purpose.MASS_MAIL,
        given=False,
        at=news.at,
        source="provider",
        proof=f"feedback {news.id}, mass mail {mail.mass_mail_id}, stage {mail.stage}, recipient {mail.seq}",
    )
