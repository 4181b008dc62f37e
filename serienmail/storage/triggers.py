"""Triggers that recipients set off: kept with their events, carried out once each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.activity import Kind
from serienmail.domain.contact import BUILT_IN_FIELDS
from serienmail.domain.states import MassMailState
from serienmail.domain.trigger import CarriedOut, FieldUpdate, HookNews, Trigger, Triggered
from serienmail.storage.crm_tables import activity, triggered
from serienmail.storage.database import Database
from serienmail.storage.suppressions import hold_off_erasures
from serienmail.storage.tables import contact, delivery, mass_mail, measured_link

_TRIGGERS = TypeAdapter(tuple[Trigger, ...])


async def keep_set_off(connection: AsyncConnection, events: Sequence[Mapping[str, Any]]) -> None:
    """Keep the triggers that these events set off, in the events' own transaction. Safe to repeat.

    events: rows of the table ``event``; those of a mail that set its trigger off before are left out, and those of a
    deleted mass mail.
    """
    triggers = await _triggers(connection, {each["mass_mail_id"] for each in events})
    if not triggers:
        return
    targets = await _targets(connection, {each["link"] for each in events if each.get("link")})
    rows = [
        {
            "mass_mail_id": each["mass_mail_id"],
            "stage": each["stage"],
            "seq": each["seq"],
            "trigger": trigger.key,
            "at": each["at"],
            "link": each.get("link"),
        }
        for each in sorted(events, key=lambda each: each["at"])
        for trigger in triggers.get((each["mass_mail_id"], each["stage"]), ())
        if trigger.is_set_off_by(each["kind"], targets.get(each.get("link")))
    ]
    if rows:
        dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
        in_order = sorted(rows, key=lambda row: [row[name] for name in _KEY])  # two at once would deadlock else
        await connection.execute(dialect.insert(triggered).on_conflict_do_nothing(), in_order)


class TriggerStore:
    """What was set off: to be started, carried out, and told."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def not_started(self, most: int) -> Sequence[Triggered]:
        """Some of those that nobody started yet, the oldest first."""
        due = select(*_columns(_KEY)).where(triggered.c.started_at.is_(None)).order_by(triggered.c.at).limit(most)
        async with self._database.read() as connection:
            return [Triggered(*row) for row in await connection.execute(due)]

    async def mark_started(self, started: Sequence[Triggered], now: datetime) -> None:
        """These have a workflow each."""
        if started:
            this = and_(*(column == bindparam(f"its_{column.name}") for column in _columns(_KEY)))
            rows = [{f"its_{name}": value for name, value in _key(each).items()} for each in started]
            async with self._database.write() as connection:
                await connection.execute(update(triggered).where(this).values(started_at=now), rows)

    async def carry_out(self, set_off: Triggered, now: datetime) -> CarriedOut:
        """Update fields, create tasks and calls, in one transaction; a second time nothing is done.

        What the trigger says at this moment is done; nothing if it was taken out of the order, or the person erased.
        """
        async with self._database.write() as connection:
            await hold_off_erasures(connection)
            found = await _find(connection, set_off)
            trigger = found and await _trigger(connection, set_off)
            if not found or not trigger:
                return CarriedOut()
            done = CarriedOut(
                len(trigger.updates), len(trigger.tasks), len(trigger.calls), tells=bool(trigger.hook)
            )
            if found.done_at is None:
                await _update_fields(connection, found, trigger.updates)
                if rows := list(_activities(trigger, set_off, found, now)):
                    await connection.execute(activity.insert(), rows)
                await connection.execute(update(triggered).where(_is(set_off)).values(done_at=now))
            return done

    async def news(self, set_off: Triggered) -> HookNews | None:
        """What its hook is told; None if there is nothing to tell any more, or nobody to tell it of."""
        async with self._database.read() as connection:
            found = await _find(connection, set_off, lock=False)
            trigger = found and await _trigger(connection, set_off)
            if not found or not trigger or not trigger.hook:
                return None
            target = (await _targets(connection, {found.link})).get(found.link) if found.link else None
        return HookNews(
            hook=trigger.hook,
            id=f"{set_off.mass_mail_id}/{set_off.stage}/{set_off.seq}/{set_off.trigger}",
            happened=trigger.on,
            at=found.at,
            mass_mail=set_off.mass_mail_id,
            stage=set_off.stage,
            recipient=set_off.seq,
            module=found.module,
            contact=found.key,
            link=target,
        )


_KEY = ("mass_mail_id", "stage", "seq", "trigger")


def _columns(names: Iterable[str]) -> list[ColumnElement[Any]]:
    return [triggered.c[name] for name in names]


def _key(set_off: Triggered) -> dict[str, Any]:
    return {name: getattr(set_off, name) for name in _KEY}


def _is(set_off: Triggered) -> ColumnElement[bool]:
    return and_(*(triggered.c[name] == value for name, value in _key(set_off).items()))


async def _triggers(connection: AsyncConnection, ids: Iterable[str]) -> dict[tuple[str, int], tuple[Trigger, ...]]:
    """By mass mail and stage, as the orders have them now; stages without any are left out."""
    order = mass_mail.c.status["order"]
    asked = select(mass_mail.c.id, order["triggers"].label("own"), order["follow_ups"].label("follow_ups"))
    asked = asked.where(mass_mail.c.id.in_(sorted(ids)), mass_mail.c.state != MassMailState.DELETED)
    found: dict[tuple[str, int], tuple[Trigger, ...]] = {}
    for row in await connection.execute(asked):
        written = [row.own, *(rule.get("triggers") for rule in row.follow_ups or ())]
        found |= {(row.id, stage): _TRIGGERS.validate_python(some) for stage, some in enumerate(written) if some}
    return found


async def _trigger(connection: AsyncConnection, set_off: Triggered) -> Trigger | None:
    stages = await _triggers(connection, [set_off.mass_mail_id])
    of_stage = stages.get((set_off.mass_mail_id, set_off.stage), ())
    return next((trigger for trigger in of_stage if trigger.key == set_off.trigger), None)


async def _targets(connection: AsyncConnection, links: Iterable[int]) -> dict[int | None, str]:
    asked = select(measured_link.c.id, measured_link.c.url).where(measured_link.c.id.in_(sorted(links)))
    return {row.id: row.url for row in await connection.execute(asked)}


async def _find(connection: AsyncConnection, set_off: Triggered, *, lock: bool = True) -> Row[Any] | None:
    """What was set off, and by whom; None if nobody knows that person any more."""
    its_mail = and_(*(delivery.c[name] == triggered.c[name] for name in ("mass_mail_id", "stage", "seq")))
    asked: Select[Any] = (
        select(triggered, contact, mass_mail.c.created_by)
        .join(delivery, its_mail)
        .join(contact, contact.c.id == delivery.c.contact_id)
        .join(mass_mail, mass_mail.c.id == triggered.c.mass_mail_id)
        .where(_is(set_off))
    )
    rows = await connection.execute(asked.with_for_update(of=[triggered, contact]) if lock else asked)
    found: Row[Any] | None = rows.one_or_none()
    return found


async def _update_fields(connection: AsyncConnection, found: Row[Any], updates: Sequence[FieldUpdate]) -> None:
    if not updates:
        return
    given = {each.field: each.value for each in updates}
    values: dict[str, Any] = {name: value for name, value in given.items() if name in BUILT_IN_FIELDS}
    free = {name: value for name, value in given.items() if name not in BUILT_IN_FIELDS}
    if free:
        values["attributes"] = {**found.attributes, **free}
    await connection.execute(update(contact).where(contact.c.id == found.id).values(values))


def _activities(trigger: Trigger, set_off: Triggered, found: Row[Any], now: datetime) -> Iterator[dict[str, Any]]:
    origin = f"trigger/{set_off.mass_mail_id}/{set_off.stage}/{set_off.seq}/{set_off.trigger}"
    common = {
        "contact_id": found.id, "mass_mail_id": set_off.mass_mail_id, "stage": set_off.stage, "created_at": now,
        "note": "", "type": "", "status": "", "priority": "", "starts_at": None, "due_at": None,
    }  # fmt: skip
    responsible = found.owner or found.created_by
    for number, task in enumerate(trigger.tasks, start=1):
        yield common | {
            "origin": f"{origin}/task-{number}",
            "kind": Kind.TASK,
            "subject": task.subject,
            "assigned": task.assignee or responsible,
            "status": task.status,
            "priority": task.priority,
            "due_at": found.at + task.due_after,
        }
    for number, call in enumerate(trigger.calls, start=1):
        yield common | {
            "origin": f"{origin}/call-{number}",
            "kind": Kind.CALL,
            "subject": call.subject,
            "assigned": call.owner or responsible,
            "starts_at": found.at + call.starts_after,
        }
