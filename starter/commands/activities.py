"""`activities`: mass mails people got, notes, tasks and calls, beside the contacts of the CRM."""

from typing import TYPE_CHECKING, Annotated

import typer

from serienmail.domain.activity import Kind
from serienmail.domain.contact import CONTACTS
from starter.commands.calling import Json, Module, command, open_database
from starter.commands.terminal import moment, say, say_json, say_table, words

if TYPE_CHECKING:
    from serienmail.domain.activity import Activity

app = typer.Typer()


@command(app, "activities")
async def activities(
    mass_mail: Annotated[str | None, typer.Option(metavar="ID", help="Of this mass mail.")] = None,
    contact: Annotated[str | None, typer.Option(metavar="KEY", help="Of the record with this key.")] = None,
    module: Module = CONTACTS,
    kind: Annotated[Kind | None, typer.Option(help="Only these.")] = None,
    json: Json = False,
) -> None:
    """Mass mails people got, notes, tasks and calls; the newest 1,000 first."""
    async with open_database() as services:
        if mass_mail is not None:
            await services.mass_mails.get(mass_mail)
        found = await services.activities.list(
            mass_mail_id=mass_mail, contact_key=contact, module=module, kind=kind
        )
    if json:
        say_json(found)
    elif found:
        say_table(["what", "about", "subject", "assigned", "due"], [_row(each) for each in found])
    else:
        say("There are none.")


def _row(each: "Activity") -> list[str]:
    due = each.due_at or each.starts_at
    return [words(each.kind), each.contact or "–", each.subject, ", ".join(each.assigned), moment(due)]
