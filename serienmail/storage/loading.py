"""Recipients of a stage, selected and judged in the database: a million without a million Python objects."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
    union,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.contact import BUILT_IN_FIELDS
from serienmail.domain.delivery import Counts, StageKey
from serienmail.domain.errors import CommandRefused
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.loading import Load, Loaded
from serienmail.domain.requirement import Requirement
from serienmail.domain.states import OPEN_STATES, DeliveryState
from serienmail.domain.suppression import ALL_TOPICS
from serienmail.storage.audience import everybody_of, has_replied
from serienmail.storage.counting import count_stage
from serienmail.storage.database import Database
from serienmail.storage.local_time import wait_for_local_time
from serienmail.storage.own_days import already_gets_it, due_by_now, looks_again
from serienmail.storage.requirements import counted, faults, is_faulty
from serienmail.storage.rows import ended_as, rows_of, stage_row
from serienmail.storage.selections import Chosen, SelectionStore
from serienmail.storage.suppressions import hold_off_erasures
from serienmail.storage.tables import contact, contact_address, delivery, stage, suppression

BATCH = 2_000
Batches = AsyncGenerator[Sequence[tuple[int, Mapping[str, Any]]]]


class RecipientStore:
    """Fills the ledger with a stage's recipients."""

    def __init__(
        self, database: Database, limit: int | None = None, time_zones: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """limit: how many recipients a stage may have, if there is a limit. time_zones: of accounts, by their names."""
        self._database = database
        self._limit = limit
        self._time_zones = time_zones
        self._selections = SelectionStore(database)

    async def load(self, load: Load, now: datetime) -> Counts:
        """Write the stage's recipients, in one transaction; the same revision again changes nothing.

        A newer revision replaces them, as long as none was handed over (else CommandRefused). With days of their own,
        those who are due by now join those who are there already.
        """
        candidates = await self._candidates(load, now=now)
        async with self._database.write() as connection:
            await hold_off_erasures(connection)
            loaded = await _is_loaded(connection, load)
            if load.own_days:
                await _add(connection, load, candidates)
            elif not loaded:
                await _clear(connection, load.key)
                await _add(connection, load, candidates)
            if not loaded:
                if load.local_due:
                    await wait_for_local_time(connection, load.key, load.local_due, self._home(load.account))
                values = {"revision": load.revision, "loaded_at": now, "template": load.templates[0]}
                await connection.execute(update(stage).where(stage_row(load.key)).values(**values))
            return await count_stage(connection, load.key)

    async def looks_again(self, load: Load, now: datetime) -> datetime | None:
        """When others may be due, if they come one by one; None if nobody can come any more."""
        if load.own_days is None:
            return None
        async with self._database.read() as connection:
            return await looks_again(connection, load, load.own_days, now)

    async def preview(self, load: Load, requirements: Sequence[Requirement] = ()) -> Loaded:
        """What loading would give now, and who wouldn't meet a requirement; writes nothing."""
        found = (await self._candidates(load, requirements)).subquery()
        of_those_due = case((found.c.reason == "", found.c.faults), else_="").label("faults")
        judged = select(found.c.reason, of_those_due).subquery()
        groups = select(*judged.c, func.count().label("people")).group_by(*judged.c)
        async with self._database.read() as connection:
            rows = (await connection.execute(groups)).all()
        counts = Counts(
            selected=sum(row.people for row in rows),
            excluded={row.reason: row.people for row in rows if row.reason},
        )
        faulty = sum(row.people for row in rows if row.faults)
        return Loaded(counts, counted((row.faults, row.people) for row in rows), faulty)

    async def zones(self, load: Load) -> Mapping[str, int]:
        """How many of those who would get a mail now live in which time zone, as their contacts say it."""
        candidates = (await self._candidates(load)).subquery()
        chosen = select(contact.c.time_zone, func.count().label("people"))
        chosen = chosen.join(candidates, candidates.c.contact_id == contact.c.id)
        async with self._database.read() as connection:
            rows = await connection.execute(chosen.where(candidates.c.reason == "").group_by(contact.c.time_zone))
            return {row.time_zone: row.people for row in rows}

    async def previewed(self, load: Load) -> Batches:
        """The contacts that would get a mail now, in batches of (contact id, merge fields); close it, if not read out.

        Judged once, and then read as they come: neither all contacts nor all ids are ever in memory.
        """
        found = (await self._candidates(load)).subquery()
        chosen = select(contact).join(found, found.c.contact_id == contact.c.id).where(found.c.reason == "")
        in_order = chosen.order_by(contact.c.id).execution_options(yield_per=BATCH)
        async with self._database.read() as connection, connection.stream(in_order) as rows:
            async for batch in rows.mappings().partitions():
                yield [(row["id"], merge_fields(row)) for row in batch]

    async def faults(self, key: StageKey, requirements: Sequence[Requirement]) -> dict[str, int]:
        """Of how many loaded recipients which requirement isn't met, by its fault."""
        judged = select(faults(requirements).label("faults")).join(delivery, contact.c.id == delivery.c.contact_id)
        found = judged.where(rows_of(key), delivery.c.state == DeliveryState.PENDING).subquery()
        groups = select(found.c.faults, func.count().label("people")).group_by(found.c.faults)
        async with self._database.read() as connection:
            return counted((row.faults, row.people) for row in await connection.execute(groups))

    async def exclude_faulty(self, key: StageKey, requirements: Sequence[Requirement], reason: Exclusion) -> None:
        """Exclude all loaded recipients who don't meet a requirement."""
        faulty = delivery.c.contact_id.in_(select(contact.c.id).where(is_faulty(requirements)))
        change = update(delivery).values(state=ended_as(DeliveryState.EXCLUDED), reason=reason)
        async with self._database.write() as connection:
            await connection.execute(change.where(rows_of(key), delivery.c.state == DeliveryState.PENDING, faulty))

    async def pending(self, key: StageKey) -> Batches:
        """The loaded recipients that are due a mail, in batches of (seq, merge fields)."""
        due = select(delivery.c.seq, contact).join(contact, contact.c.id == delivery.c.contact_id)
        due = due.where(rows_of(key), delivery.c.state == DeliveryState.PENDING)
        last = 0
        while True:
            batch = due.where(delivery.c.seq > last).order_by(delivery.c.seq).limit(BATCH)
            async with self._database.read() as connection:
                rows = (await connection.execute(batch)).mappings().all()
            if not rows:
                return
            last = rows[-1]["seq"]
            yield [(row["seq"], merge_fields(row)) for row in rows]

    async def exclude(self, key: StageKey, seqs: Sequence[int], reason: Exclusion) -> None:
        """Exclude these recipients, if they are still due a mail."""
        change = update(delivery).values(state=ended_as(DeliveryState.EXCLUDED), reason=reason)
        async with self._database.write() as connection:
            for start in range(0, len(seqs), BATCH):
                chosen = delivery.c.seq.in_(seqs[start : start + BATCH])
                await connection.execute(change.where(rows_of(key), chosen, delivery.c.state.in_(OPEN_STATES)))

    async def limit(self, key: StageKey) -> None:
        """Exclude the recipients beyond the installation's limit; the last ones, by their number in the stage."""
        if self._limit is None:
            return
        within = select(delivery.c.seq).where(rows_of(key), delivery.c.state != DeliveryState.EXCLUDED)
        last = within.order_by(delivery.c.seq).limit(1).offset(self._limit - 1).scalar_subquery()
        beyond = and_(rows_of(key), delivery.c.seq > last, delivery.c.state.in_(OPEN_STATES))
        change = update(delivery).where(beyond).values(state=DeliveryState.EXCLUDED, reason=Exclusion.OVER_LIMIT)
        async with self._database.write() as connection:
            await connection.execute(change)

    async def counts(self, key: StageKey) -> Counts:
        """The stage in numbers, now."""
        async with self._database.read() as connection:
            return await count_stage(connection, key)

    def _home(self, account: str) -> str:
        return self._time_zones.get(account, "")

    async def _candidates(
        self, load: Load, requirements: Sequence[Requirement] = (), now: datetime | None = None
    ) -> Select[Any]:
        """now: for those who come one by one."""
        chosen = Chosen(true())
        if load.audience is None:
            chosen = await self._selections.chosen(load.selection)
            source = select(contact).where(chosen.condition)
        elif load.own_days is None or now is None:
            source = everybody_of(load.asked, load.audience)
        else:
            async with self._database.read() as connection:
                source = await due_by_now(connection, load, load.own_days, now)
        if load.ignore is not None:
            chosen = replace(chosen, ignored=(await self._selections.chosen(load.ignore)).condition)
        own = _reason(load, chosen).label("own_reason"), faults(requirements).label("faults")
        judged = _with_suppressions(source, load.topic).add_columns(*own)
        return _judged_by_all_addresses(judged) if await self._have_several_addresses() else _judged(judged)

    async def _have_several_addresses(self) -> bool:
        """Few installations know of any; the others needn't pay for looking through them."""
        async with self._database.read() as connection:
            found: bool = (await connection.execute(select(exists().select_from(contact_address)))).scalar_one()
            return found


def merge_fields(row: RowMapping | Mapping[str, Any]) -> dict[str, Any]:
    """A contact's row as templates see it: built-in fields and free attributes side by side."""
    return {**row["attributes"], **{name: row[name] for name in _FOR_TEMPLATES}}


_FOR_TEMPLATES = tuple(BUILT_IN_FIELDS)


def _judged(source: Select[Any]) -> Select[Any]:
    """Each candidate with its reason ('' for none): the first of those with the same address gets the mail."""
    own = source.subquery()
    rank = func.row_number().over(partition_by=[own.c.address_key, own.c.own_reason], order_by=own.c.id)
    repeated = and_(own.c.own_reason == "", rank > 1)
    return select(
        own.c.id.label("contact_id"),
        own.c.email.label("address"),
        own.c.address_key,
        case((repeated, literal(Exclusion.DUPLICATE.value)), else_=own.c.own_reason).label("reason"),
        own.c.faults,
    )


def _judged_by_all_addresses(source: Select[Any]) -> Select[Any]:
    """As ``_judged``; who shares any address with an earlier candidate is a duplicate of that one, too.

    Its row then has the key of the address that the mail goes to, so that people see whose duplicate it is.
    """
    named = {column.name: column for column in source.selected_columns}
    names = ("id", "email", "address_key", "own_reason", "faults")
    own = source.with_only_columns(*(named[name] for name in names)).cte("own")
    due = own.c.own_reason == ""
    others = select(own.c.id, contact_address.c.address_key).join(own, own.c.id == contact_address.c.contact_id)
    several = select(contact_address.c.address_key)
    known = union(select(own.c.id, own.c.address_key).where(due, own.c.address_key.in_(several)), others.where(due))
    one = known.cte("known")
    earlier = one.alias("earlier")
    shared = select(one.c.id, func.min(earlier.c.id).label("first"))
    shared = shared.join(earlier, and_(earlier.c.address_key == one.c.address_key, earlier.c.id < one.c.id))
    same_person, first = shared.group_by(one.c.id).subquery(), own.alias("first")
    rank = func.row_number().over(partition_by=[own.c.address_key, own.c.own_reason], order_by=own.c.id)
    repeated = and_(due, or_(rank > 1, same_person.c.first.is_not(null())))
    return (
        select(
            own.c.id.label("contact_id"),
            own.c.email.label("address"),
            func.coalesce(first.c.address_key, own.c.address_key).label("address_key"),
            case((repeated, literal(Exclusion.DUPLICATE.value)), else_=own.c.own_reason).label("reason"),
            own.c.faults,
        )
        .select_from(own)
        .outerjoin(same_person, same_person.c.id == own.c.id)
        .outerjoin(first, first.c.id == same_person.c.first)
    )


_everywhere, _of_topic = suppression.alias(), suppression.alias()


def _with_suppressions(source: Select[Any], topic: str) -> Select[Any]:
    """Joined, not asked for by a subquery: PostgreSQL would ask each contact six times."""
    for entry, its_topic in ((_everywhere, ALL_TOPICS), (_of_topic, topic)):
        same = and_(entry.c.address_key == contact.c.address_key, entry.c.topic == its_topic)
        source = source.outerjoin(entry, same)
    return source


def _reason(load: Load, chosen: Chosen) -> ColumnElement[str]:
    """A contact's own reason, in the order of precedence; '' for none."""
    listed = func.coalesce(_everywhere.c.reason, _of_topic.c.reason)
    conditions: list[tuple[ColumnElement[bool] | None, Exclusion]] = [
        (chosen.removed, Exclusion.REMOVED_BY_HAND),
        (contact.c.email == "", Exclusion.NO_ADDRESS),
        (contact.c.address_key.is_(null()), Exclusion.INVALID_ADDRESS),
        (listed == "unsubscribed", Exclusion.UNSUBSCRIBED),
        (listed.is_not(null()), Exclusion.SUPPRESSED),
        (~contact.c.opt_in if load.opted_in_only else None, Exclusion.NO_OPT_IN),
        (chosen.ignored, Exclusion.IGNORED),
        (has_replied(load.key.mass_mail_id) if load.without_replied else None, Exclusion.REPLIED),
    ]
    known = [(test, literal(reason.value)) for test, reason in conditions if test is not None]
    return case(*known, else_=literal(""))


async def _is_loaded(connection: AsyncConnection, load: Load) -> bool:
    """Lock the stage's row, made if need be, and say whether this revision's recipients are there."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = dialect.insert(stage).values(mass_mail_id=load.key.mass_mail_id, number=load.key.stage)
    await connection.execute(new.on_conflict_do_nothing())
    lock = select(stage.c.revision, stage.c.loaded_at).where(stage_row(load.key)).with_for_update()
    row = (await connection.execute(lock)).one()
    return row.loaded_at is not None and row.revision >= load.revision


async def _clear(connection: AsyncConnection, key: StageKey) -> None:
    claimed = select(func.count()).where(rows_of(key), delivery.c.token.is_not(null()))
    if (await connection.execute(claimed)).scalar_one():
        raise CommandRefused("Some recipients have got their mail already; the selection can't be changed any more.")
    await connection.execute(delete(delivery).where(rows_of(key)))


async def _add(connection: AsyncConnection, load: Load, candidates: Select[Any]) -> None:
    found = candidates.subquery()
    last = select(func.coalesce(func.max(delivery.c.seq), 0)).where(rows_of(load.key)).scalar_subquery()
    reason: ColumnElement[str] = found.c.reason
    if load.own_days:
        again = and_(found.c.reason == "", already_gets_it(load.key, found.c.address_key))
        reason = case((again, literal(Exclusion.DUPLICATE.value)), else_=found.c.reason)
    rows = select(
        literal(load.key.mass_mail_id),
        literal(load.key.stage),
        last + func.row_number().over(order_by=found.c.contact_id),
        found.c.contact_id,
        found.c.address,
        found.c.address_key,
        case((reason == "", literal(DeliveryState.PENDING.value)), else_=literal(DeliveryState.EXCLUDED.value)),
        reason,
    )
    names = ["mass_mail_id", "stage", "seq", "contact_id", "address", "address_key", "state", "reason"]
    await connection.execute(insert(delivery).from_select(names, rows))
