"""The suppression list: who gets no mass mail, and what of theirs is still due when they come onto it."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, false, literal, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.exclusion import Exclusion
from serienmail.domain.states import OPEN_STATES, DeliveryState
from serienmail.domain.suppression import ALL_TOPICS, AddressHash, Suppression, SuppressionReason, is_hash
from serienmail.storage.database import Database
from serienmail.storage.rows import ended_as
from serienmail.storage.tables import contact, delivery, mass_mail, suppression

BATCH = 2_000
"""Entries a statement; both databases take some 32,000 values at most."""


class SuppressionStore:
    """The list. Addresses are named by their keys (``domain.address``)."""

    def __init__(self, database: Database, address_hash: AddressHash) -> None:
        self._database = database
        self._hash = address_hash

    async def add(self, entries: Sequence[Suppression], now: datetime) -> int:
        """Put these on the list and exclude them wherever they are still due; how many weren't on it before.

        Transactions of some thousand each. A hash is met by the contact that has its address, if there is one.
        """
        added = 0
        for start in range(0, len(entries), BATCH):
            async with self._database.write() as connection:
                added += await suppress(connection, entries[start : start + BATCH])
        if any(is_hash(entry.address_key) for entry in entries):
            await self._meet_contacts(now)
        return added

    async def remove(self, address_key: str, topic: str | None = None) -> int:
        """Take an address off the list, also if it was erased; how many entries. topic: only this one."""
        keys = [address_key, self._hash(address_key)]
        entry = delete(suppression).where(suppression.c.address_key.in_(keys))
        entry = entry.where(true() if topic is None else suppression.c.topic == topic)
        async with self._database.write() as connection:
            return (await connection.execute(entry)).rowcount

    async def all(self) -> Sequence[Suppression]:
        """The whole list, by address."""
        query = select(suppression).order_by(suppression.c.address_key, suppression.c.topic)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [Suppression(**{**row, "reason": SuppressionReason(row["reason"])}) for row in rows]

    async def _meet_contacts(self, now: datetime) -> None:
        query = select(contact.c.address_key).where(contact.c.address_key.is_not(None)).distinct()
        async with self._database.read() as connection:
            keys = (await connection.execute(query)).scalars().all()
        for start in range(0, len(keys), BATCH):
            async with self._database.write() as connection:
                await suppress_erased(connection, keys[start : start + BATCH], self._hash, now)


async def hold_off_erasures(connection: AsyncConnection) -> None:
    """Whoever this transaction finds is still known when it writes: an erasure waits for its end, or it for that.

    Belongs at the beginning of what copies addresses from one table to another. SQLite has one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        await connection.exec_driver_sql("LOCK TABLE suppression IN ROW EXCLUSIVE MODE")


async def lock_for_erasure(connection: AsyncConnection) -> None:
    """Wait for everything that holds erasures off, and let nothing more of it begin."""
    if connection.dialect.name == "postgresql":
        await connection.exec_driver_sql("LOCK TABLE suppression IN SHARE ROW EXCLUSIVE MODE")


async def suppress(
    connection: AsyncConnection, entries: Sequence[Suppression], also: ColumnElement[bool] | None = None
) -> int:
    """Put these on the list and, in the same transaction, exclude what is still due to them; how many are new.

    also: other rows of the ledger that this transaction will write.
    """
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    in_order = sorted(entries, key=lambda entry: (entry.address_key, entry.topic))  # else two at once deadlock
    added = 0
    for start in range(0, len(in_order), BATCH):
        rows = [asdict(entry) for entry in in_order[start : start + BATCH]]
        new = dialect.insert(suppression).values(rows).on_conflict_do_nothing()
        added += (await connection.execute(new)).rowcount
    kinds = sorted(in_order, key=_kind)
    affected = [(_affected(kind, list(alike)), kind) for kind, alike in groupby(kinds, key=_kind)]
    await _lock(connection, or_(false() if also is None else also, *(rows for rows, _ in affected)))
    for due, (_, exclusion) in affected:
        excluded = {"state": ended_as(DeliveryState.EXCLUDED), "reason": exclusion}
        await connection.execute(update(delivery).where(due).values(excluded))
    return added


async def suppress_erased(
    connection: AsyncConnection, address_keys: Iterable[str], address_hash: AddressHash, now: datetime
) -> None:
    """Suppress those of these addresses whose owners were erased.

    Called wherever addresses come in, so that loading and claiming need not know of hashes: whoever comes back with
    the CRM's next export is on the list like anybody else.
    """
    by_hash = {address_hash(key): key for key in address_keys}
    if not by_hash:
        return
    listed = select(suppression.c.address_key).where(suppression.c.address_key.in_(by_hash))
    found = (await connection.execute(listed)).scalars().all()
    erased = SuppressionReason.ERASED
    entries = [Suppression(address_key=by_hash[key], reason=erased, since=now) for key in found]
    if entries:
        await suppress(connection, entries)


def _kind(entry: Suppression) -> tuple[str, Exclusion]:
    return entry.topic, entry.reason.exclusion


def _affected(kind: tuple[str, Exclusion], entries: Sequence[Suppression]) -> ColumnElement[bool]:
    """The open rows to these addresses; of the mass mails about that topic, if it isn't for all."""
    topic, _ = kind
    of_topic = delivery.c.mass_mail_id.in_(select(mass_mail.c.id).where(mass_mail.c.topic == topic))
    return and_(
        delivery.c.address_key.in_([entry.address_key for entry in entries]),
        true() if topic == ALL_TOPICS else of_topic,
        delivery.c.state.in_(OPEN_STATES),
    )


async def _lock(connection: AsyncConnection, rows: ColumnElement[bool]) -> None:
    """All rows that this transaction will write, in the order of their keys: claims and other opt-outs lock in that
    order too, and PostgreSQL would else end one of them as a deadlock.
    """
    key = (delivery.c.mass_mail_id, delivery.c.stage, delivery.c.seq)
    await connection.execute(select(literal(1)).where(rows).order_by(*key).with_for_update())
