"""`start`: counts and the first mail are shown, then it asks; only a yes starts anything."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serienmail.domain.delivery import Counts
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.loading import first_load
from serienmail.domain.local_time import unknown
from serienmail.domain.mass_mail import EVERYONE
from serienmail.domain.states import MassMailState
from serienmail.domain.trigger import Trigger
from starter.commands.calling import By, Json, command, open_mass_mails
from starter.commands.terminal import ask, moment, say, say_as_it_is, say_error, say_json, say_table, words
from starter.order_file import OrderFile, Overrides, read_order, to_order
from starter.toml_file import read_moment

if TYPE_CHECKING:
    from starter.client import MassMails
    from starter.orders import Prepared

app = typer.Typer()
Due = Annotated[
    str | None, typer.Option(metavar="TIME", help="When, with its offset, e.g. 2026-12-01T09:00+01:00.")
]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="To find it by; can be repeated.")]


@command(app, "start")
async def start(
    by: By,
    file: Annotated[Path | None, typer.Argument(metavar="ORDER.toml", help="The order.")] = None,
    mass_mail_id: Annotated[str | None, typer.Option("--id", help="If not given: the name and the day.")] = None,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    template: Annotated[str | None, typer.Option(help="A template's name, or name@revision.")] = None,
    account: Annotated[str | None, typer.Option(help="The sending account.")] = None,
    due: Due = None,
    tag: Tags = None,
    now: Annotated[bool, typer.Option("--now", help="At once, whatever the order says.")] = False,
    everyone: Annotated[bool, typer.Option("--everyone", help="To all contacts.")] = False,
    include_without_opt_in: Annotated[bool, typer.Option("--include-without-opt-in", help="Opt-in or not.")] = False,
    notify: Annotated[bool, typer.Option("--notify", help="Tell you by mail when recipients are read.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Until recipients are read, and say how far it is.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    json: Json = False,
) -> None:
    """Start a mass mail; options win over what the order says."""
    at = exclusive(due, now)
    overrides = Overrides(
        by=by, id=mass_mail_id, name=name, account=account, template=template, due=at, now=now, everyone=everyone,
        tags=tuple(tag) if tag else None, include_without_opt_in=include_without_opt_in,
    )  # fmt: skip
    written = read_order(file) if file else OrderFile()
    written = replace(written, notify=written.notify or notify)
    async with open_mass_mails() as mails:
        order = await to_order(mails, written, overrides)
        prepared = await mails.prepare(order)
        if not json:
            await show_prepared(mails, prepared)
        started = yes or ask(f"Start '{order.name}'{' without those who opted out' if prepared.opted_out else ''}?")
        if started:
            await mails.start(order)
        say_started(prepared, started, json)
        if wait:
            await _say_how_far(mails, order.id)


async def _say_how_far(mails: "MassMails", mass_mail_id: str) -> None:
    """On the error output, so that the other one stays a document. Exit code 1 if it was stopped."""
    last = -1
    async for read in mails.until_loaded(mass_mail_id):
        if read != last:
            last = read
            say_error(f"{read} read and checked so far" if read else "waiting until its recipients are read")
    report = await mails.status(mass_mail_id)
    if report.status.state is MassMailState.STOPPED:
        say_error(f"It is stopped: {report.status.reason}")
        raise typer.Exit(1)
    counts = report.stages[0]
    excluded = "".join(f", {number} {what}" for what, number in excluded_rows(counts).items())
    say_error(f"Read: {counts.will_receive} will get it{excluded}")


def exclusive(due: str | None, now: bool) -> datetime | None:
    """The time that was given; usage error if it is now, too."""
    if due is not None and now:
        raise typer.BadParameter("give a time, or --now, not both", param_hint="--due")
    return None if due is None else read_moment(due)


async def show_prepared(mails: "MassMails", prepared: "Prepared") -> None:
    """Whom it goes to, and what the first of them gets."""
    from starter.preview import first_mail

    order = prepared.order
    say(f"{order.name} ({order.id}), by {order.created_by}, account {order.account}, template {order.template}")
    say(f"To {'everyone' if order.selection == EVERYONE else 'those selected'}, {_when(order.due)}.")
    if order.local_time:
        say(f"Each gets it at this time of day in the own time zone, of which there are {len(prepared.zones)}.")
    if strange := unknown(prepared.zones):
        say(f"{strange} have a time zone that doesn't exist, and count as having none.")
    _say_triggers(order.triggers)
    for number, rule in enumerate(order.follow_ups, start=1):
        say(f"Follow-up {number} ({words(rule.audience)}, {rule.when}): {rule.template}")
        _say_triggers(rule.triggers)
    if order.crm.is_kept:
        say(f"The CRM keeps {order.crm.words}.")
    say()
    say_table(["recipients", ""], recipient_rows(prepared), numbers=[1])
    if not order.opted_in_only:
        opted_in = await mails.services.recipients.preview(replace(first_load(order, 1), opted_in_only=True))
        without = opted_in.counts.excluded.get(Exclusion.NO_OPT_IN, 0)
        say(f"\nWARNING: {without} of them have no opt-in for mass mail, and would get it nevertheless.")
    if opted_out := prepared.opted_out:
        say(f"\n{opted_out} of those selected have opted out or can't be mailed any more; it goes on without them.")
    shown = await first_mail(mails.services, prepared)
    say("\nThe first of these mails:\n")
    say_as_it_is("\n".join(f"{name}: {value}" for name, value in shown.headers if name in ("From", "To", "Subject")))
    say_as_it_is(f"\n{shown.text or shown.html}\n")


def _say_triggers(triggers: Sequence[Trigger]) -> None:
    for trigger in triggers:
        say(f"– when {trigger.words}: {trigger.actions}")


def recipient_rows(prepared: "Prepared") -> list[list[str]]:
    """Selected, excluded by reason, and who is left."""
    missing = {Exclusion.PLACEHOLDER_MISSING.value: prepared.faulty} if prepared.faulty else {}
    counts = replace(prepared.counts, excluded={**prepared.counts.excluded, **missing})
    rows = {"selected": counts.selected, **excluded_rows(counts)}
    rows |= {f"– of these for {fault}": n for fault, n in sorted(prepared.missing.items())}
    return [[what, str(n)] for what, n in {**rows, "will receive it": prepared.will_receive}.items()]


def excluded_rows(counts: Counts) -> dict[str, int]:
    """How many are excluded, by the reason in words."""
    return {f"excluded: {Exclusion(code).words}": n for code, n in sorted(counts.excluded.items())}


def say_started(prepared: "Prepared", started: bool, json: bool) -> None:
    """Whether it was started; exit code 1 if not."""
    order = prepared.order
    if json:
        counts = {"selected": prepared.counts.selected, "excluded": prepared.counts.excluded}
        counts |= {"missing": prepared.missing, "will_receive": prepared.will_receive}
        say_json({"id": order.id, "started": started, "order": order, **counts})
    elif started:
        say(f"Started; 'serienmail show {order.id}' tells how it is.")
    if not started:
        say_error("nothing was started")
        raise typer.Exit(1)


def _when(due: datetime | None) -> str:
    return f"on {moment(due)}" if due else "at once"
