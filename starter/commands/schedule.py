"""`schedule …`: recurring mass mails."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from starter.commands.calling import By, Json, OrderPath, command, open_mass_mails
from starter.commands.starting import recipient_rows
from starter.commands.terminal import moment, say, say_json, say_table
from starter.order_file import Overrides, read_order, to_order

if TYPE_CHECKING:
    from starter.schedules import Recurring, Schedules

app = typer.Typer(name="schedule", help="Mass mails that recur.", no_args_is_help=True)
ScheduleId = Annotated[str, typer.Argument(metavar="ID", help="The schedule's id.")]


@command(app, "create")
async def create(
    file: OrderPath,
    cron: Annotated[str, typer.Option(help="Minute, hour, day, month, weekday: '0 9 * * 1' is Monday at nine.")],
    time_zone: Annotated[str, typer.Option(help="Of these times, e.g. Europe/Berlin.")],
    schedule_id: Annotated[str, typer.Option("--id", help="Each mass mail adds the time of its start.")],
    by: By,
    json: Json = False,
) -> None:
    """Start this order anew at each of these times, with today's template revisions."""
    from starter.schedules import Schedules

    written = read_order(file)
    async with open_mass_mails() as mails:
        schedules = Schedules(mails)
        order = await to_order(mails, written, Overrides(by=by, id=schedule_id))
        prepared = await schedules.prepare(order)
        await schedules.create(order, cron, time_zone)
    if json:
        say_json({"id": order.id, "order": prepared.order, "will_receive": prepared.will_receive})
        return
    say(f"'{order.name}' recurs as {order.id}. If it were sent now:\n")
    say_table(["recipients", ""], recipient_rows(prepared), numbers=[1])


@command(app, "list")
async def list_schedules(json: Json = False) -> None:
    """All schedules; a new one may take a moment to appear."""
    async with _open_schedules() as schedules:
        found = await schedules.list()
    if json:
        say_json(found)
    elif found:
        say_table(["id", "name", "times", "next"], [_row(entry) for entry in found])
    else:
        say("There are no schedules; make one with 'serienmail schedule create'.")


@command(app, "pause")
async def pause(schedule_id: ScheduleId, by: By) -> None:
    """Start nothing until it is resumed; what was started goes on."""
    async with _open_schedules() as schedules:
        await schedules.pause(schedule_id, by)
    say(f"{schedule_id} is paused.")


@command(app, "resume")
async def resume(schedule_id: ScheduleId, by: By) -> None:
    """Go on at the next time."""
    async with _open_schedules() as schedules:
        await schedules.resume(schedule_id, by)
    say(f"{schedule_id} goes on.")


@command(app, "remove")
async def remove(schedule_id: ScheduleId, by: By) -> None:
    """Start nothing more; what was started goes on."""
    async with _open_schedules() as schedules:
        await schedules.remove(schedule_id, by)
    say(f"{schedule_id} is removed.")


def _row(entry: "Recurring") -> list[str]:
    return [
        entry.id,
        entry.name,
        f"{entry.cron} {entry.time_zone}",
        "paused" if entry.paused else moment(entry.next_at),
    ]


@asynccontextmanager
async def _open_schedules() -> AsyncIterator["Schedules"]:
    from starter.schedules import Schedules

    async with open_mass_mails() as mails:
        yield Schedules(mails)
