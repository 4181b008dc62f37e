"""`report`: what became of a mass mail, on the terminal, as JSON or as a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from starter.commands.calling import Json, MassMailId, command, open_database
from starter.commands.terminal import say, say_json, say_table, words
from starter.report_language import Language

if TYPE_CHECKING:
    from starter.summary import StageSummary, Summary

app = typer.Typer()
_NAMED = 5


@command(app, "report")
async def report(
    mass_mail_id: MassMailId,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it as an HTML page.")] = None,
    language: Annotated[Language, typer.Option(help="Of the page.")] = Language.ENGLISH,
    json: Json = False,
) -> None:
    """Who got a mass mail and its follow-ups, and by name who didn't, and why."""
    from starter.summary import as_page, summarise

    async with open_database() as services:
        summary = await summarise(services, mass_mail_id)
    if html:
        html.write_text(as_page(summary, language), "utf-8")
    if json:
        say_json(summary)
    elif html:
        say(f"The report is in {html}.")
    else:
        _show(summary)


def _show(summary: "Summary") -> None:
    say(f"{summary.name} ({summary.id}), by {summary.created_by}")
    say(summary.state + (f": {summary.reason}" if summary.reason else ""))
    for stage in summary.stages:
        say()
        numbers = {"selected": stage.selected, "sent": stage.sent, **stage.without_mail}
        say_table([stage.name, ""], [[what, str(n)] for what, n in numbers.items()], numbers=[1])
        if stage.groups:
            say()
            say_table(["people", "got none because", "who"], _rows(stage), numbers=[0])
    if summary.created:
        say()
        rows = [[words(kind), str(number)] for kind, number in summary.created.items()]
        say_table(["created in the CRM", ""], rows, numbers=[1])
    if summary.copies:
        say()
        say_table(["copy for", "state", "answer"], [[copy.user, copy.state, copy.reply] for copy in summary.copies])


def _rows(stage: "StageSummary") -> list[list[str]]:
    rows = []
    for group in stage.groups:
        names = [person.name or person.contact for person in group.people[:_NAMED]]
        more = group.number - len(names)
        who = ", ".join(names) + (f" and {more} more" if more else "")
        rows.append([str(group.number), f"{group.kind}: {group.why}" if group.why else group.kind, who])
    return rows
