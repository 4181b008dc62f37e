"""`list`, `show` and `recipients`: from the database alone, so that they work while Temporal doesn't."""

from typing import TYPE_CHECKING, Annotated

import typer

from serienmail.domain.commands import Phase, StageStatus
from serienmail.domain.mass_mail import MassMail
from serienmail.domain.states import DeliveryState, Folder
from starter.commands.calling import Json, MassMailId, command, open_database
from starter.commands.starting import excluded_rows
from starter.commands.terminal import moment, say, say_json, say_table, words

if TYPE_CHECKING:
    from serienmail.domain.audit import AuditRecord
    from starter.overview import Report

app = typer.Typer()
_STATES = [state for state in DeliveryState if state is not DeliveryState.EXCLUDED]
_IN_WORDS = {DeliveryState.UNKNOWN: "in doubt"}


@command(app, "list")
async def list_mass_mails(
    folder: Annotated[Folder | None, typer.Option(help="If not given: all but deleted.")] = None,
    tag: Annotated[str, typer.Option(help="Only those that have it.")] = "",
    json: Json = False,
) -> None:
    """All mass mails, the newest first."""
    from starter.overview import mass_mails_in

    async with open_database() as services:
        found = [entry.status for entry in await mass_mails_in(services, folder, tag)]
    if json:
        say_json([
            {
                "id": status.order.id,
                "name": status.order.name,
                "created_by": status.order.created_by,
                "state": status.state,
                "folder": status.state.folder,
                "reason": status.reason,
                "scheduled_at": status.scheduled_at,
                "tags": status.order.tags,
            }
            for status in found
        ])  # fmt: skip
    elif found:
        rows = [[s.order.id, s.order.name, words(s.state), moment(s.scheduled_at)] for s in found]
        say_table(["id", "name", "state", "next due"], rows)
    else:
        say("There are none." if folder or tag else "There are no mass mails yet; start one with 'serienmail start'.")


@command(app, "show")
async def show(mass_mail_id: MassMailId, json: Json = False) -> None:
    """One mass mail: its state, its stages, and its recipients by state and reason."""
    from starter.overview import report

    async with open_database() as services:
        found = await report(services, mass_mail_id)
    if json:
        say_json(found)
    else:
        _show(found)


@command(app, "recipients")
async def recipients(
    mass_mail_id: MassMailId,
    stage: Annotated[int, typer.Option(help="0 for the mass mail itself, 1 to 3 for a follow-up.")] = 0,
    state: Annotated[DeliveryState | None, typer.Option(help="Only these.")] = None,
    json: Json = False,
) -> None:
    """Each recipient of a stage: the number that Temporal's UI shows, the contact, the state and why."""
    from serienmail.storage.deliveries import DeliveryList

    async with open_database() as services:
        await services.mass_mails.get(mass_mail_id)
        found = await DeliveryList(services.database).stories(mass_mail_id, stage, state)
    if json:
        say_json(found)
    elif found:
        rows = [
            [str(s.seq), s.contact, _IN_WORDS.get(s.state, words(s.state)), moment(s.finished_at), s.why] for s in found
        ]
        say_table(["recipient", "contact", "state", "when", "why"], rows, numbers=range(1))
    else:
        say("There are none.")


@command(app, "audit")
async def audit(
    about: Annotated[str | None, typer.Argument(metavar="[ID]", help="A mass mail's id; all if not given.")] = None,
    json: Json = False,
) -> None:
    """Who commanded what, what it changed, and what was refused."""
    async with open_database() as services:
        found = await services.audit.of(about)
    if json:
        say_json(found)
    elif found:
        rows = [[moment(r.at), r.by, words(r.act), r.about, f"refused: {r.refused}" if r.refused else _changed(r)]
                for r in found]  # fmt: skip
        say_table(["when", "who", "what", "about", "outcome"], rows)
    else:
        say("Nothing was commanded yet.")


def _changed(record: "AuditRecord") -> str:
    """What differs, each as it was and as it is."""
    return ", ".join(
        f"{name} {record.before[name]} → {now}" if name in record.before else f"{name} {now}"
        for name, now in record.after.items()
    )


def _show(report: "Report") -> None:
    status, order = report.status, report.status.order
    say(f"{order.name} ({order.id})")
    say(words(status.state) + (f": {status.reason}" if status.reason else ""))
    say(f"created by {order.created_by}, account {order.account}, revision {status.revision}")
    say(f"templates: {', '.join([order.template, *(rule.template for rule in order.follow_ups)])}")
    if order.tags:
        say(f"tags: {', '.join(order.tags)}")
    stages = status.stages or (StageStatus(number=0, phase=Phase.WAITING, due=order.due),)
    say()
    say_table(["stage", "to", "state", "due"], [_stage_row(order, stage) for stage in stages])
    if rows := _recipient_rows(report):
        headings = ["recipients", *(str(number) if number else "mass mail" for number in report.stages)]
        say()
        say_table(headings, rows, numbers=range(1, len(headings)))
    if status.last_command:
        say(f"\nlast command: {status.last_command}")
    if status.last_refusal:
        say(f"\nlast refused: {status.last_refusal}")


def _stage_row(order: MassMail, stage: StageStatus) -> list[str]:
    rule = order.follow_ups[stage.number - 1] if stage.number else None
    return [
        f"follow-up {stage.number}" if rule else "mass mail",
        words(rule.audience) if rule else "selected",
        stage.words,
        rule.when if rule and (rule.comes_one_by_one or not stage.due) else moment(stage.due),
    ]


def _recipient_rows(report: "Report") -> list[list[str]]:
    """Selected, by state, by reason of exclusion, and what they did; rows without anybody are left out."""
    columns = []
    for counts in report.stages.values():
        column = {"selected": counts.selected}
        column |= {_IN_WORDS.get(state, words(state)): counts.of(state) for state in _STATES}
        column |= {"opened": counts.opened, "not opened": counts.not_opened}
        column |= {"clicked": counts.clicked, "not clicked": counts.not_clicked, "unsubscribed": counts.unsubscribed}
        columns.append(column | excluded_rows(counts))
    names = dict.fromkeys(name for column in columns for name in column)
    return [
        [name, *(str(column.get(name, 0)) for column in columns)]
        for name in names
        if any(column.get(name, 0) for column in columns)
    ]
