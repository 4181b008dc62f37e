"""All that is known about one person, by their mail address: to be handed out, or to be erased."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, Select, and_, delete, exists, false, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.audit import AuditRecord
from serienmail.domain.delivery import HAND_OVER_LIMIT
from serienmail.domain.errors import CommandRefused
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.states import OPEN_STATES, DeliveryState
from serienmail.domain.suppression import AddressHash, Suppression, SuppressionReason
from serienmail.storage.audit import record_commands
from serienmail.storage.crm_tables import activity, triggered
from serienmail.storage.database import Database
from serienmail.storage.erased_criteria import erase_criteria
from serienmail.storage.rows import same_row
from serienmail.storage.selection_tables import work_list, work_list_member
from serienmail.storage.suppressions import lock_for_erasure, suppress
from serienmail.storage.tables import (
    automatic_answer,
    consent,
    consent_request,
    contact,
    contact_address,
    copy,
    delivery,
    event,
    feedback,
    mass_mail,
    suppression,
    visit,
)


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was erased: contacts, rows of the ledger, answers about consent, places on work lists, and stored
    selections and filters changed.
    """

    contacts: int
    mails: int
    consents: int
    places: int
    criteria: int


@dataclass(frozen=True, slots=True)
class _Person:
    """addresses: the one that was asked for, and all others of its contacts. contacts: of all modules."""

    addresses: Sequence[str]
    contacts: Sequence[Row[Any]]

    @property
    def ids(self) -> Sequence[int]:
        """Ours, not the CRM's."""
        return [found.id for found in self.contacts]

    def keys(self, module: str) -> Sequence[str]:
        """The CRM's numbers in a module."""
        return [found.key for found in self.contacts if found.module == module]

    @property
    def modules(self) -> Sequence[str]:
        """Where the person is known."""
        return sorted({found.module for found in self.contacts})

    def of_keys(self, module: ColumnElement[str], key: ColumnElement[str]) -> ColumnElement[bool]:
        """The rows that name one of the contacts by the CRM's number."""
        return or_(false(), *(and_(module == name, key.in_(self.keys(name))) for name in self.modules))

    @property
    def mails(self) -> ColumnElement[bool]:
        return or_(delivery.c.address_key.in_(self.addresses), delivery.c.contact_id.in_(self.ids))

    def of_mails(self, table: FromClause) -> ColumnElement[bool]:
        """The rows that are about their mails."""
        return exists().where(same_row(table, delivery), self.mails)

    @property
    def feedback(self) -> ColumnElement[bool]:
        told = [func.lower(feedback.c.detail).contains(address, autoescape=True) for address in self.addresses]
        unmatched = and_(feedback.c.mass_mail_id.is_(None), or_(*told))
        return or_(feedback.c.address_key.in_(self.addresses), self.of_mails(feedback), unmatched)

    @property
    def consents(self) -> ColumnElement[bool]:
        return or_(consent.c.address_key.in_(self.addresses), self.of_keys(consent.c.module, consent.c.contact_key))

    @property
    def requests(self) -> ColumnElement[bool]:
        theirs = consent_request.c.contact_id.in_(self.ids)
        return or_(consent_request.c.address_key.in_(self.addresses), theirs)

    @property
    def places(self) -> ColumnElement[bool]:
        """On work lists."""
        named = self.of_keys(work_list.c.module, work_list_member.c.key)
        return exists().where(work_list.c.name == work_list_member.c.list, named)


class PersonStore:
    """A person is everybody with the same address: where several contacts share it, they go together."""

    def __init__(self, database: Database, address_hash: AddressHash) -> None:
        self._database = database
        self._hash = address_hash

    async def export(self, address_key: str) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Everything known, as rows by what they are: contacts, suppressions, consents, mails, events, activities …"""
        async with self._database.read() as connection:
            person = await _find(connection, address_key)
            listed = suppression.c.address_key.in_([*person.addresses, *map(self._hash, person.addresses)])
            mails = select(delivery, mass_mail.c.name.label("mass_mail")).join(
                mass_mail, mass_mail.c.id == delivery.c.mass_mail_id
            )
            known: dict[str, Select[Any]] = {
                "contacts": select(contact).where(contact.c.id.in_(person.ids)),
                "addresses": select(contact_address).where(contact_address.c.contact_id.in_(person.ids)),
                "suppressions": select(suppression).where(listed).order_by(suppression.c.reason),
                "consents": select(consent).where(person.consents).order_by(consent.c.id),
                "consent_requests": select(consent_request).where(person.requests).order_by(consent_request.c.id),
                "mails": mails.where(person.mails).order_by(delivery.c.mass_mail_id, delivery.c.stage),
                "feedback": select(feedback).where(person.feedback).order_by(feedback.c.at),
                "events": select(event).where(person.of_mails(event)).order_by(event.c.id),
                "visits": select(visit).where(person.of_mails(visit)).order_by(visit.c.at),
                "activities": select(activity).where(activity.c.contact_id.in_(person.ids)).order_by(activity.c.id),
                "triggered": select(triggered).where(person.of_mails(triggered)).order_by(triggered.c.at),
                "work_lists": select(work_list_member).where(person.places).order_by(work_list_member.c.list),
            }
            rows = {name: (await connection.execute(query)).mappings().all() for name, query in known.items()}
        return {name: [dict(row) for row in found] for name, found in rows.items()}

    async def erase(self, address_key: str, by: str, now: datetime) -> Erased:
        """Leave nothing but a keyed hash on the suppression list, and ledger rows of nobody. Safe to repeat.

        by: the user id for the record of commands, which tells how much was erased and not whose.
        One transaction, so that no mail goes out to somebody who was told that nothing is known any more.
        CommandRefused while a mail server's answer may still come, for it would bring the address back.
        """
        async with self._database.write() as connection:
            await lock_for_erasure(connection)
            person = await _find(connection, address_key)
            await self._leave_hashes(connection, person, now)
            await _refuse_while_in_hand(connection, person, now)
            await connection.execute(update(event).where(person.of_mails(event)).values(detail=""))
            for table in (visit, triggered):
                await connection.execute(delete(table).where(person.of_mails(table)))
            for table in (activity, automatic_answer):
                await connection.execute(delete(table).where(table.c.contact_id.in_(person.ids)))
            nobody = {"detail": "", "address_key": None}
            await connection.execute(update(feedback).where(person.feedback).values(nobody))
            mails = await _erase_mails(connection, person, now)
            await connection.execute(update(copy).where(copy.c.contact_id.in_(person.ids)).values(contact_id=0))
            asked = {"contact_id": 0, "contact_key": "", "address_key": ""}  # the row stays: its number is in a link
            await connection.execute(update(consent_request).where(person.requests).values(asked))
            consents = await connection.execute(delete(consent).where(person.consents))
            places = await connection.execute(delete(work_list_member).where(person.places))
            await connection.execute(delete(contact_address).where(contact_address.c.contact_id.in_(person.ids)))
            contacts = await connection.execute(delete(contact).where(contact.c.id.in_(person.ids)))
            criteria = await erase_criteria(connection, person.addresses, person.contacts)
            erased = Erased(contacts.rowcount, mails, consents.rowcount, places.rowcount, criteria)
            record = AuditRecord(at=now, by=by, act="erase", about="person", after=asdict(erased))
            await record_commands(connection, [record])
            return erased

    async def _leave_hashes(self, connection: AsyncConnection, person: _Person, now: datetime) -> None:
        await connection.execute(delete(suppression).where(suppression.c.address_key.in_(person.addresses)))
        erased = [
            Suppression(address_key=self._hash(address), reason=SuppressionReason.ERASED, since=now)
            for address in person.addresses
        ]
        await suppress(connection, erased)


async def _find(connection: AsyncConnection, address_key: str) -> _Person:
    also = select(contact_address.c.contact_id).where(contact_address.c.address_key == address_key)
    theirs = or_(contact.c.address_key == address_key, contact.c.id.in_(also))
    contacts = (await connection.execute(select(contact).where(theirs))).all()
    others = select(contact_address.c.address_key).where(contact_address.c.contact_id.in_([row.id for row in contacts]))
    own = [row.address_key for row in contacts if row.address_key]
    known = [address_key, *own, *(await connection.execute(others)).scalars()]
    return _Person(list(dict.fromkeys(known)), contacts)


async def _refuse_while_in_hand(connection: AsyncConnection, person: _Person, now: datetime) -> None:
    key = (delivery.c.mass_mail_id, delivery.c.stage, delivery.c.seq)
    rows = select(delivery.c.state, delivery.c.handed_over_at).where(person.mails).order_by(*key).with_for_update()
    undecided = (*OPEN_STATES, DeliveryState.HANDING_OVER, DeliveryState.UNKNOWN)
    for row in (await connection.execute(rows)).all():
        if row.state in undecided and row.handed_over_at and row.handed_over_at > now - HAND_OVER_LIMIT:
            minutes = HAND_OVER_LIMIT.seconds // 60
            raise CommandRefused(f"A mail to this address was just handed over; erase it in {minutes} minutes.")


async def _erase_mails(connection: AsyncConnection, person: _Person, now: datetime) -> int:
    """What is due is excluded, what was in doubt stays so, and all lose whom they went to."""
    gone = {"reason": Exclusion.CONTACT_GONE, "finished_at": now}
    undecided = (*OPEN_STATES, DeliveryState.HANDING_OVER)
    handed_over = or_(delivery.c.doubted, delivery.c.state == DeliveryState.HANDING_OVER)
    doubt = update(delivery).where(person.mails, delivery.c.state.in_(undecided), handed_over)
    await connection.execute(doubt.values(state=DeliveryState.UNKNOWN, doubted=True, **gone))
    due = update(delivery).where(person.mails, delivery.c.state.in_(OPEN_STATES))
    await connection.execute(due.values(state=DeliveryState.EXCLUDED, **gone))
    # the contact's id goes as well: SQLite gives it to the next contact
    nobody = {"address": "", "address_key": None, "contact_id": 0, "reply": ""}
    return (await connection.execute(update(delivery).where(person.mails).values(nobody))).rowcount
