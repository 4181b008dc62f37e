"""Automatic answers to answers: which are due, each once for a recipient and a mass mail, and what became of them."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Select, and_, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.auto_answer import MOST_A_DAY, WORTH_IT, Incoming, may_answer
from serienmail.domain.delivery import Claimed, MailRef, StageKey, Verdict
from serienmail.domain.feedback import Feedback
from serienmail.domain.states import DeliveryState
from serienmail.domain.suppression import ALL_TOPICS, SuppressionReason
from serienmail.storage.database import Database
from serienmail.storage.loading import merge_fields
from serienmail.storage.rows import suppression_of
from serienmail.storage.tables import automatic_answer, contact, delivery, mass_mail
from serienmail.storage.wanted import hand_over_by

_BECOMES = {
    Verdict.ACCEPTED: DeliveryState.SENT,
    Verdict.REJECTED: DeliveryState.REJECTED,
    Verdict.IN_DOUBT: DeliveryState.UNKNOWN,
}
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DueAnswer:
    """An answer that this process alone may hand over. replied_to: the Message-ID of what is answered."""

    claimed: Claimed
    template: str
    account: str
    replied_to: str


class AnswerStore:
    """ours: addresses that mails come from or answers go to. a_day: answers at most in 24 hours."""

    def __init__(self, database: Database, ours: Collection[str], a_day: int = MOST_A_DAY) -> None:
        self._database = database
        self._ours = ours
        self._a_day = a_day
        self._insert: Any = sqlite.insert if database.is_sqlite else postgresql.insert

    async def ask(self, news: Sequence[Feedback]) -> None:
        """Keep which of these are to be answered. Safe to repeat."""
        for each in news:
            if each.mail is not None and each.incoming is not None:
                async with self._database.write() as connection:
                    await self._ask(connection, each.mail, each.incoming, each.at)

    async def _ask(self, connection: AsyncConnection, ref: MailRef, incoming: Incoming, at: datetime) -> None:
        mail = (await connection.execute(_answered(ref))).one_or_none()
        order = mail.status.get("order", {}) if mail else {}
        if mail is None or not order.get("auto_answer"):
            return
        if refusal := may_answer(incoming, mail.address, self._ours):
            log.info("an answer to %s isn't answered: %s", mail.mass_mail_id, refusal)
            return
        row = {name: getattr(mail, name) for name in ("mass_mail_id", "contact_id", "stage", "seq")}
        row |= {"template": order["auto_answer"], "account": order["account"], "replied_to": incoming.message_id}
        row |= {"asked_at": at, "state": DeliveryState.PENDING}
        await connection.execute(self._insert(automatic_answer).values(row).on_conflict_do_nothing())

    async def claim(self, now: datetime) -> DueAnswer | None:
        """The committed right to hand the next one over; None if none is due, or it was enough for a day.

        One that was tried at this very time isn't due: a run that says when it began tries each once.

        One that nobody ever told the end of stays handed over: it may have gone, and none goes twice.
        """
        async with self._database.write() as connection:
            out = automatic_answer.c.state != DeliveryState.PENDING
            today = select(func.count()).where(out, automatic_answer.c.claimed_at > now - timedelta(days=1))
            if (await connection.execute(today)).scalar_one() >= self._a_day:
                return None
            row = (await connection.execute(_next(now))).mappings().one_or_none()
            if row is None:
                return None
            token = uuid4().hex
            taken = {"state": DeliveryState.HANDING_OVER, "token": token, "claimed_at": now}
            its_own = and_(*(automatic_answer.c[name] == row[name] for name in ("mass_mail_id", "contact_id")))
            await connection.execute(update(automatic_answer).where(its_own).values(taken))
        claimed = Claimed(
            key=StageKey(row["mass_mail_id"], row["stage"]),
            seq=row["seq"],
            token=token,
            number=row["number"],
            address=row["sent_to"],
            contact=merge_fields(row),
            tracked=False,
            message_id=row["our_message_id"],
            dated_at=now,
            hand_over_by=hand_over_by(),
        )
        return DueAnswer(claimed, row["answer_template"], row["answer_account"], row["replied_to"])

    async def give_back(self, token: str) -> None:
        """Nothing was handed over, or the server said "later"; those that weren't tried since come first."""
        await self._becomes(token, {"state": DeliveryState.PENDING, "token": None})

    async def record(self, token: str, verdict: Verdict) -> None:
        """Keep what became of it, and nothing of what was answered."""
        await self._becomes(token, {"state": _BECOMES.get(verdict, DeliveryState.FAILED), "replied_to": ""})

    async def _becomes(self, token: str, values: dict[str, Any]) -> None:
        async with self._database.write() as connection:
            await connection.execute(update(automatic_answer).where(automatic_answer.c.token == token).values(values))


def _answered(ref: MailRef) -> Select[Any]:
    return (
        select(delivery, mass_mail.c.status)
        .join(mass_mail, mass_mail.c.id == delivery.c.mass_mail_id)
        .where(mass_mail.c.number == ref.number, delivery.c.stage == ref.stage, delivery.c.seq == ref.seq)
        .where(delivery.c.address_key.is_not(None), delivery.c.state != DeliveryState.EXCLUDED)
    )


def _next(now: datetime) -> Select[Any]:
    """The oldest that is worth it, after those never tried; with its contact and our mail, if it still has the address.

    Who opted out of mass mail is answered all the same: they asked. Any other suppression forbids it.
    """
    suppressed = suppression_of(delivery.c.address_key, ALL_TOPICS)
    same_mail = and_(*(delivery.c[name] == automatic_answer.c[name] for name in ("mass_mail_id", "stage", "seq")))
    same_contact = and_(contact.c.id == delivery.c.contact_id, contact.c.address_key == delivery.c.address_key)
    own = (automatic_answer.c.mass_mail_id, automatic_answer.c.contact_id, automatic_answer.c.replied_to)
    return (
        select(
            contact, *own, delivery.c.stage, delivery.c.seq, mass_mail.c.number,
            delivery.c.address.label("sent_to"), delivery.c.message_id.label("our_message_id"),
            automatic_answer.c.template.label("answer_template"), automatic_answer.c.account.label("answer_account"),
        )
        .select_from(automatic_answer)
        .join(delivery, same_mail)
        .join(contact, same_contact)
        .join(mass_mail, mass_mail.c.id == delivery.c.mass_mail_id)
        .where(automatic_answer.c.state == DeliveryState.PENDING, automatic_answer.c.asked_at > now - WORTH_IT)
        .where(or_(suppressed.is_(None), suppressed == SuppressionReason.UNSUBSCRIBED))
        .where(or_(automatic_answer.c.claimed_at.is_(None), automatic_answer.c.claimed_at < now))
        .order_by(automatic_answer.c.claimed_at.nulls_first(), automatic_answer.c.asked_at)
        .limit(1)
        .with_for_update(of=automatic_answer, skip_locked=True)
    )  # fmt: skip
