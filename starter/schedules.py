"""Recurring mass mails: Temporal Schedules that start a new mass mail at each of their times."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from zoneinfo import available_timezones

from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleHandle,
    ScheduleListDescription,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)
from temporalio.service import RPCError, RPCStatusCode

from serienmail.domain.errors import AlreadyExists, InvalidOrder, NotFound
from serienmail.domain.mass_mail import MassMail
from starter.client import MassMails
from starter.letter import compose
from starter.orders import Prepared, prepare
from workflows import names
from workflows.recurring import RecurringMassMailWorkflow

_PREFIX = "recurring-mass-mail/"
_CATCH_UP = timedelta(hours=1)
"""A time missed by more than this, because Temporal was down, is left out: mail at night helps nobody."""
_LONGEST_ID = 80  # each mass mail adds the time of its start


@dataclass(frozen=True, slots=True)
class Recurring:
    """A schedule as lists show it. next_at: None if nothing more comes."""

    id: str
    name: str
    created_by: str
    cron: str
    time_zone: str
    paused: bool
    next_at: datetime | None


_NO_CRON = "'{}' is no cron expression; write minute, hour, day, month, weekday, e.g. '0 9 * * 1'."


def _check_cron(cron: str) -> None:
    """Five fields and no shorthand: '@every 1s' would mail everybody each second."""
    if len(cron.split()) != 5:
        raise InvalidOrder(_NO_CRON.format(cron))


class Schedules:
    """The schedules of one installation. An order's id is its schedule's."""

    def __init__(self, mails: MassMails) -> None:
        self._mails = mails

    async def prepare(self, order: MassMail) -> Prepared:
        """Check the order as at a start; InvalidOrder too if it has a date, which can't recur."""
        _check_recurs(order)
        return await prepare(self._mails.services, order)

    async def create(self, order: MassMail, cron: str, time_zone: str) -> None:
        """Start this order at each time of a cron expression, with the template revisions of today."""
        _check_time_zone(time_zone)
        _check_cron(cron)
        await self._mails.require("start", order.created_by, _PREFIX + order.id, order.created_by, "schedule")
        order = (await self.prepare(await compose(self._mails.services, order))).order
        action = ScheduleActionStartWorkflow(
            RecurringMassMailWorkflow.run,
            self._mails.as_run(order),
            id=_PREFIX + order.id,
            task_queue=names.WORKFLOW_QUEUE,
            static_summary=order.name,
        )
        schedule = Schedule(
            action=action,
            spec=ScheduleSpec(cron_expressions=[cron], time_zone_name=time_zone),
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.ALLOW_ALL, catchup_window=_CATCH_UP),
        )
        memo = {"name": order.name, "created_by": order.created_by, "cron": cron, "time_zone": time_zone}
        try:
            handle = await self._mails.temporal.create_schedule(_PREFIX + order.id, schedule, memo=memo)
        except ScheduleAlreadyRunningError:
            raise AlreadyExists(f"There is a schedule '{order.id}' already; remove it, or choose another id.") from None
        except RPCError as error:
            if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                raise
            raise InvalidOrder(_NO_CRON.format(cron)) from None
        if not (await handle.describe()).info.next_action_times:  # Temporal alone knows what an expression means
            await handle.delete()
            raise InvalidOrder(f"'{cron}' never comes, such as 31 February; write days that its months have.")
        after = {"cron": cron, "time_zone": time_zone, "template": order.template, "selection": order.selection}
        await self._mails.services.audit.add("start", order.created_by, _PREFIX + order.id, after=after)

    async def list(self) -> Sequence[Recurring]:
        """All of them, by id. A new one may take a moment to appear."""
        listed = await self._mails.temporal.list_schedules()
        return sorted([await _recurring(entry) async for entry in listed if entry.id.startswith(_PREFIX)], key=_id)

    async def pause(self, schedule_id: str, by: str) -> None:
        """Start nothing until it is resumed; what was started goes on."""
        async with self._commanded("pause", schedule_id, by) as handle:
            await handle.pause()

    async def resume(self, schedule_id: str, by: str) -> None:
        """Go on at the next time."""
        async with self._commanded("resume", schedule_id, by) as handle:
            await handle.unpause()

    async def remove(self, schedule_id: str, by: str) -> None:
        """Start nothing more; what was started goes on."""
        async with self._commanded("remove", schedule_id, by) as handle:
            await handle.delete()

    @asynccontextmanager
    async def _commanded(self, act: str, schedule_id: str, by: str) -> AsyncIterator[ScheduleHandle]:
        """The schedule, for who may do this to it; on record when it is done. NotFound if there is none."""
        handle = self._mails.temporal.get_schedule_handle(_PREFIX + schedule_id)
        with _found(schedule_id):
            memo = await (await handle.describe()).memo()
        await self._mails.require(act, by, _PREFIX + schedule_id, memo["created_by"], "schedule")
        with _found(schedule_id):
            yield handle
        await self._mails.services.audit.add(act, by, _PREFIX + schedule_id)


@contextmanager
def _found(schedule_id: str) -> Iterator[None]:
    try:
        yield
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        raise NotFound(
            f"There is no schedule '{schedule_id}'; 'serienmail schedule list' shows those there are."
        ) from None


def _check_recurs(order: MassMail) -> None:
    if order.due is not None:
        raise InvalidOrder("A schedule has times of its own; take 'due' out of the order.")
    for number, rule in enumerate(order.follow_ups, start=1):
        if rule.on is not None:
            raise InvalidOrder(f"Follow-up {number} has a date, which can't recur; give after_days instead.")
    if len(order.id) > _LONGEST_ID:
        raise InvalidOrder(f"A schedule's id may have {_LONGEST_ID} characters at most; choose a shorter one.")


def _check_time_zone(name: str) -> None:
    known = available_timezones()
    if name not in known:
        nearest = get_close_matches(name, known, n=1)
        raise InvalidOrder(f"There is no time zone '{name}'; write one such as {(nearest or ['Europe/Berlin'])[0]}.")


async def _recurring(entry: ScheduleListDescription) -> Recurring:
    memo = await entry.memo()
    next_times = entry.info.next_action_times if entry.info else ()
    return Recurring(
        id=entry.id.removeprefix(_PREFIX),
        name=memo["name"],
        created_by=memo["created_by"],
        cron=memo["cron"],
        time_zone=memo["time_zone"],
        paused=entry.schedule.state.paused if entry.schedule else False,
        next_at=next_times[0] if next_times else None,
    )


def _id(recurring: Recurring) -> str:
    return recurring.id
