"""What recipients of a mail that is out decide through its links: no more mail, or more again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Update, and_, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.consent import Consent, Purpose
from serienmail.domain.contact import CONTACTS
from serienmail.domain.suppression import ALL_TOPICS, Suppression, SuppressionReason
from serienmail.storage.consents import record_consents
from serienmail.storage.database import Database
from serienmail.storage.doubt import arrived
from serienmail.storage.suppressions import hold_off_erasures, suppress
from serienmail.storage.tables import contact, delivery, event, mass_mail, suppression

MOST_EVENTS = 50
"""Of one kind for one mail: whoever holds a link could else fill the disk."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a mail went to. topic: its mass mail's, which can be unsubscribed from alone; empty if it has none."""

    address: str
    topic: str


class Tracking:
    """Opt-outs; ``visits`` has what is opened and clicked, ``feedback`` what came back.

    A mail is named as its links name it: the mass mail's number, stage, seq.

    An opt-out shows that a mail in doubt was accepted: its row becomes ``sent`` in the same transaction. One that
    came while the mail was still in hand is looked at when the stage is settled.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def recipient_of(self, number: int, stage: int, seq: int) -> Recipient | None:
        """Whom this mail goes to, and about what; None if there is no such mail."""
        async with self._database.read() as connection:
            mail = (await connection.execute(_mail(number, stage, seq))).one_or_none()
            return None if mail is None else Recipient(mail.address, mail.topic)

    async def unsubscribed(self, number: int, stage: int, seq: int, at: datetime, *, everything: bool = False) -> bool:
        """No more mail of this mail's topic to its address, or of any; False if there is no such mail.

        One transaction, so that nobody gets a mail after being told that there will be none.
        """
        async with self._database.write() as connection:
            await hold_off_erasures(connection)
            mail = (await connection.execute(_mail(number, stage, seq))).one_or_none()
            if mail is None:
                return False
            topic = ALL_TOPICS if everything else mail.topic
            await suppress(connection, [_opt_out(mail, topic, at)], also=_is(mail))
            await _answer(connection, mail, at, "unsubscribed", topic)
            await connection.execute(_first_time(mail, delivery.c.unsubscribed_at, at))
            await connection.execute(arrived(_is(mail), at))
            return True

    async def subscribed(self, number: int, stage: int, seq: int, at: datetime) -> bool:
        """Take back every opt-out of this mail's address; False if there is no such mail.

        Other suppressions stay, and rows that were excluded meanwhile stay so: they go out if somebody sends again.
        """
        async with self._database.write() as connection:
            await hold_off_erasures(connection)
            mail = (await connection.execute(_mail(number, stage, seq))).one_or_none()
            if mail is None:
                return False
            opt_outs = delete(suppression).where(suppression.c.address_key == mail.address_key)
            opt_outs = opt_outs.where(suppression.c.reason == SuppressionReason.UNSUBSCRIBED)
            await connection.execute(opt_outs)
            await _answer(connection, mail, at, "subscribed", ALL_TOPICS)
            return True


def _mail(number: int, stage: int, seq: int) -> Select[Any]:
    """A row without an address never became a mail."""
    return (
        select(delivery, mass_mail.c.topic, contact.c.key.label("contact_key"), contact.c.module)
        .join(mass_mail, mass_mail.c.id == delivery.c.mass_mail_id)
        .outerjoin(contact, contact.c.id == delivery.c.contact_id)
        .where(mass_mail.c.number == number, delivery.c.stage == stage, delivery.c.seq == seq)
        .where(delivery.c.address_key.is_not(None))
    )


def _is(mail: Row[Any]) -> ColumnElement[bool]:
    return and_(
        delivery.c.mass_mail_id == mail.mass_mail_id, delivery.c.stage == mail.stage, delivery.c.seq == mail.seq
    )


def _first_time(mail: Row[Any], column: Any, at: datetime) -> Update:
    return update(delivery).where(_is(mail), column.is_(None)).values({column: at})


def _opt_out(mail: Row[Any], topic: str, at: datetime) -> Suppression:
    return Suppression(
        address_key=mail.address_key,
        topic=topic,
        reason=SuppressionReason.UNSUBSCRIBED,
        since=at,
        source=mail.mass_mail_id,
    )


async def _answer(connection: AsyncConnection, mail: Row[Any], at: datetime, kind: str, topic: str) -> None:
    """What the recipient decided, as an event and as proof; once, until they decide otherwise."""
    answers = select(event.c.kind, event.c.detail).where(_of(mail), event.c.kind.in_(["unsubscribed", "subscribed"]))
    last = (await connection.execute(answers.order_by(event.c.id.desc()).limit(1))).one_or_none()
    if last == (kind, topic) or not await _append(connection, kind, mail, at, topic):
        return
    about = f"topic '{topic}', " if topic else ""
    answer = Consent(
        module=mail.module or CONTACTS,
        contact_key=mail.contact_key or "",
        address_key=mail.address_key,
        purpose=Purpose.MASS_MAIL,
        given=kind == "subscribed",
        at=at,
        source="link",
        proof=f"{about}mass mail {mail.mass_mail_id}, stage {mail.stage}, recipient {mail.seq}",
    )
    await record_consents(connection, [answer])


def _of(mail: Row[Any]) -> ColumnElement[bool]:
    return and_(
        event.c.mass_mail_id == mail.mass_mail_id, event.c.stage == mail.stage, event.c.seq == mail.seq
    )


async def _append(connection: AsyncConnection, kind: str, mail: Row[Any], at: datetime, detail: str = "") -> bool:
    """Keep an event, unless there are too many of its kind; whether it was kept."""
    same = select(func.count()).select_from(event).where(_of(mail), event.c.kind == kind)
    if (await connection.execute(same)).scalar_one() >= MOST_EVENTS:
        return False
    row = {"kind": kind, "mass_mail_id": mail.mass_mail_id, "stage": mail.stage, "seq": mail.seq, "at": at}
    await connection.execute(insert(event).values(row | {"detail": detail}))
    return True
