"""Requests for consent: who was asked for what, each mail at most once, and what they confirmed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, delete, insert, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.audit import AuditRecord
from serienmail.domain.consent import Asked, Consent, Purpose, Standing
from serienmail.domain.contact import CONTACTS
from serienmail.domain.delivery import HAND_OVER_LIMIT, Claimed, StageKey, Verdict
from serienmail.domain.errors import AlreadyExists, CommandRefused, NotFound, RequestInHand
from serienmail.domain.suppression import ALL_TOPICS, SuppressionReason
from serienmail.storage.audit import record_commands
from serienmail.storage.consents import record_consents
from serienmail.storage.database import Database
from serienmail.storage.loading import merge_fields
from serienmail.storage.rows import suppression_of
from serienmail.storage.suppressions import hold_off_erasures
from serienmail.storage.tables import consent_request, contact, suppression
from serienmail.storage.wanted import hand_over_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody is to be asked. contact_key: the CRM's number in the module. template: ``name@revision``.

    by: user id.
    """

    module: str = CONTACTS
    contact_key: str
    purpose: Purpose
    template: str
    account: str
    by: str


@dataclass(frozen=True, slots=True)
class DueRequest:
    """A request that this process alone may hand over."""

    claimed: Claimed
    template: str
    account: str


class ConsentRequestStore:
    """Requests by number."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, question: Question, now: datetime, lasts: timedelta) -> int:
        """Keep a request, with its record; its number. One that was never handed over is given again.

        NotFound without such a contact; CommandRefused if it can't or may not be asked; AlreadyExists if it was, and
        its link is still good.
        """
        async with self._database.write() as connection:
            await hold_off_erasures(connection)
            suppressed = suppression_of(contact.c.address_key, ALL_TOPICS).label("suppressed")
            of_key = select(contact, suppressed).where(
                contact.c.module == question.module, contact.c.key == question.contact_key
            )
            # the lock makes of two at once one after the other
            asked = (await connection.execute(of_key.with_for_update(of=contact))).one_or_none()
            _refuse(question, asked)
            assert asked is not None
            if waiting := await _waiting(connection, question, asked, now):
                return waiting
            row = {
                "contact_id": asked.id, "contact_key": asked.key, "address_key": asked.address_key,
                "purpose": question.purpose, "template": question.template, "account": question.account,
                "asked_at": now, "expires_at": now + lasts,
            }  # fmt: skip
            made = insert(consent_request).values(row).returning(consent_request.c.id)
            number = int((await connection.execute(made)).scalar_one())
            after = {"request": number, "purpose": question.purpose, "template": question.template}
            record = AuditRecord(at=now, by=question.by, act="request", about="consent", after=after)
            await record_commands(connection, [record])
            return number

    async def claim(self, number: int, now: datetime) -> DueRequest | None:
        """The committed right to hand a request over; None if somebody had it, or it may not go any more.

        A process that died with it gives it up after HAND_OVER_LIMIT, once: it may have been sent, and a question that
        comes twice harms less than one that never comes. RequestInHand until then.
        """
        async with self._database.write() as connection:
            good = update(consent_request).where(_is(number), consent_request.c.expires_at > now)
            never, lost = consent_request.c.handed_over_at.is_(null()), _is_lost(now)
            taken = await connection.execute(good.where(never).values(handed_over_at=now))
            if not taken.rowcount:
                again = {"handed_over_at": now, "verdict": Verdict.IN_DOUBT}
                taken = await connection.execute(good.where(lost).values(again))
            if not taken.rowcount:
                await _refuse_while_in_hand(connection, number)
                return None
            row = (await connection.execute(_asked(number))).mappings().one_or_none()
            if row is None:  # gone, or with another address
                return None
        claimed = Claimed(
            key=StageKey("consent", 0),
            seq=0,
            token="",
            number=number,
            address=row["email"],
            contact=merge_fields(row),
            tracked=False,
            message_id="",  # follows from the number
            dated_at=row["asked_at"],
            attempts=1,
            hand_over_by=hand_over_by(),
        )
        return DueRequest(claimed, row["template"], row["account"])

    async def give_back(self, number: int) -> None:
        """Nothing was handed over, or the server said "later": it may be claimed again."""
        async with self._database.write() as connection:
            await connection.execute(update(consent_request).where(_is(number)).values(handed_over_at=None))

    async def record(self, number: int, verdict: Verdict) -> None:
        """Keep what became of it; not the server's words, which may have the address."""
        async with self._database.write() as connection:
            await connection.execute(update(consent_request).where(_is(number)).values(verdict=verdict))

    async def find(self, number: int) -> Asked | None:
        """A request as the person sees it; None if there is none, or the contact has another address now."""
        async with self._database.read() as connection:
            row = (await connection.execute(_asked(number))).one_or_none()
        return None if row is None else _as_asked(row)

    async def confirm(self, number: int, at: datetime) -> Asked | None:
        """Consent is given, if the link is still good; how the request stands then. Safe to repeat.

        An earlier opt-out is taken back; other suppressions stay.
        """
        async with self._database.write() as connection:
            await hold_off_erasures(connection)
            query = _asked(number).with_for_update(of=consent_request)
            row = (await connection.execute(query)).one_or_none()
            if row is None or _as_asked(row).standing(at) is not Standing.OPEN:
                return None if row is None else _as_asked(row)
            await connection.execute(update(consent_request).where(_is(number)).values(confirmed_at=at))
            given = {Purpose(row.purpose).field: True}
            await connection.execute(update(contact).where(contact.c.id == row.contact_id).values(given))
            await record_consents(connection, [_consent(number, row, at)])
            if row.purpose == Purpose.MASS_MAIL:
                opt_outs = delete(suppression).where(suppression.c.address_key == row.address_key)
                unsubscribed = suppression.c.reason == SuppressionReason.UNSUBSCRIBED
                await connection.execute(opt_outs.where(unsubscribed))
        return await self.find(number)


def _refuse(question: Question, asked: Row[Any] | None) -> None:
    if asked is None:
        raise NotFound(f"There is no {question.module} '{question.contact_key}'; give the key it has in the CRM.")
    if asked.address_key is None:
        raise CommandRefused("This contact has no usable mail address; complete it in the CRM and import it.")
    if getattr(asked, question.purpose.field) and asked.suppressed is None:
        raise CommandRefused("This contact has consented already; nobody needs to be asked.")
    if asked.suppressed not in (None, SuppressionReason.UNSUBSCRIBED):
        raise CommandRefused("This contact's address is on the suppression list; take it off first.")


async def _waiting(connection: AsyncConnection, question: Question, asked: Row[Any], now: datetime) -> int | None:
    """A request of the same that was kept, but never handed over."""
    same = and_(
        consent_request.c.contact_id == asked.id,
        consent_request.c.address_key == asked.address_key,
        consent_request.c.purpose == question.purpose,
        consent_request.c.confirmed_at.is_(null()),
        consent_request.c.expires_at > now,
    )
    found = (await connection.execute(select(consent_request).where(same).limit(1))).one_or_none()
    if found and found.handed_over_at:
        raise AlreadyExists(
            f"This contact was asked already, and the link is good until {found.expires_at:%Y-%m-%d %H:%M %Z};"
            " ask again after that."
        )
    return found.id if found else None


def _is_lost(now: datetime) -> ColumnElement[bool]:
    """Handed over so long ago, and without a word, that whoever had it must be gone."""
    silent = consent_request.c.verdict == ""
    return and_(silent, consent_request.c.handed_over_at <= now - HAND_OVER_LIMIT)


async def _refuse_while_in_hand(connection: AsyncConnection, number: int) -> None:
    in_hand = select(consent_request.c.id).where(_is(number), consent_request.c.verdict == "")
    if (await connection.execute(in_hand.where(consent_request.c.handed_over_at.is_not(null())))).first():
        raise RequestInHand("The request is in hand, or whoever had it is gone; it is looked at again by itself.")


def _is(number: int) -> ColumnElement[bool]:
    return and_(consent_request.c.id == number)


def _asked(number: int) -> Select[Any]:
    """A request with its contact, if that has still the address that was asked."""
    own = [column for column in consent_request.c if column.name not in contact.c]
    same = and_(contact.c.id == consent_request.c.contact_id, contact.c.address_key == consent_request.c.address_key)
    return select(*own, contact).select_from(consent_request).join(contact, same).where(_is(number))


def _as_asked(row: Row[Any]) -> Asked:
    return Asked(
        address=row.email, purpose=Purpose(row.purpose), expires_at=row.expires_at, confirmed_at=row.confirmed_at
    )


def _consent(number: int, row: Row[Any], at: datetime) -> Consent:
    return Consent(
        module=row.module,
        contact_key=row.contact_key,
        address_key=row.address_key,
        purpose=Purpose(row.purpose),
        given=True,
        at=at,
        source="double_opt_in",
        proof=f"request {number}, {row.template}, sent {row.handed_over_at:%Y-%m-%d %H:%M %Z}",
    )
