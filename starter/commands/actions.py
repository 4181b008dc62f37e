"""`action …`: notes and tasks for a group of contacts, with a mass mail to them or without one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serienmail.domain.activity import Kind
from starter.commands.calling import By, Json, command, open_mass_mails
from starter.commands.starting import show_prepared
from starter.commands.terminal import ask, say, say_error, say_json
from starter.contact_actions import read_action
from starter.order_file import Overrides

if TYPE_CHECKING:
    from starter.client import MassMails
    from starter.contact_actions import PreparedAction

app = typer.Typer(name="action", help="Notes and tasks for a group, with a mail or without.", no_args_is_help=True)


@command(app, "run")
async def run(
    file: Annotated[Path, typer.Argument(metavar="ACTION.toml", help="An order with [note] and [task].")],
    by: By,
    action_id: Annotated[str | None, typer.Option("--id", help="If not given: the name and the day.")] = None,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    everyone: Annotated[bool, typer.Option("--everyone", help="For all contacts.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    json: Json = False,
) -> None:
    """Create notes and tasks now, and start the mail if there is one; a mail that is due later can be cancelled."""
    from starter.contact_actions import ContactActions

    written = read_action(file)
    async with open_mass_mails() as mails:
        actions = ContactActions(mails)
        action, mail = await actions.from_file(written, Overrides(by=by, id=action_id, name=name, everyone=everyone))
        prepared = await actions.prepare(action, mail)
        if not json:
            await _show(mails, prepared)
        if not (yes or ask(f"Run '{action.id}'?")):
            say_error("nothing was created")
            raise typer.Exit(1)
        created = await actions.run(action, mail)
    if json:
        say_json({"id": action.id, "people": prepared.people, "created": created, "mail": mail is not None})
    else:
        say(f"Created: {created}; 'serienmail activities' shows them." + (" The mail is started." if mail else ""))


async def _show(mails: "MassMails", prepared: "PreparedAction") -> None:
    """How many notes, tasks and mails there will be."""
    for kind, part in ((Kind.NOTE, prepared.action.note), (Kind.TASK, prepared.action.task)):
        if part:
            say(f"{prepared.people} {kind}s: {part.subject} ({part.type})")
    if prepared.mail:
        say()
        await show_prepared(mails, prepared.mail)
