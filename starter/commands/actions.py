"""`action …`: notes and tasks for a group of contacts, with a mass mail to them or without one."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serienmail.domain.activity import Kind
from starter.commands.calling import By, Json, command, open_database, open_mass_mails
from starter.commands.starting import show_prepared
from starter.commands.terminal import ask, say, say_error, say_json
from starter.contact_actions import read_action
from starter.order_file import Overrides
from starter.toml_file import read_criterion, read_text

if TYPE_CHECKING:
    from starter.client import MassMails
    from starter.contact_actions import PreparedAction

app = typer.Typer(name="action", help="Notes and tasks for a group, with a mail or without.", no_args_is_help=True)


@command(app, "run")
async def run(
    by: By,
    file: Annotated[Path | None, typer.Argument(metavar="ACTION.toml", help="An order with [note], [task].")] = None,
    saved: Annotated[str | None, typer.Option(metavar="NAME", help="A template instead of a file.")] = None,
    where: Annotated[str | None, typer.Option(metavar="CRITERION", help="For these, as in an order.")] = None,
    action_id: Annotated[str | None, typer.Option("--id", help="If not given: the name and the day.")] = None,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    everyone: Annotated[bool, typer.Option("--everyone", help="For all contacts.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    json: Json = False,
) -> None:
    """Create notes and tasks now, and start the mail if there is one; a mail that is due later can be cancelled."""
    from starter.contact_actions import ContactActions

    if (file is None) == (saved is None):
        raise typer.BadParameter("give a file or --saved NAME, one of the two")
    async with open_mass_mails() as mails:
        actions = ContactActions(mails)
        written = read_action(file) if file else await actions.saved(saved or "")
        if where:
            written = replace(written, order=replace(written.order, recipients=read_criterion(where)))
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


@command(app, "save")
async def save(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The template's name.")],
    file: Annotated[Path, typer.Argument(metavar="ACTION.toml", help="An action without [recipients].")],
    by: By,
) -> None:
    """Save mail, note and task as a template, in place of the one that has its name."""
    from starter.contact_actions import save_action

    text = read_text(file)
    async with open_database() as services:
        await save_action(services, name, text, by)
    say(f"Saved; 'serienmail action run --saved {name} --where …' runs it.")


@command(app, "list")
async def list_actions(json: Json = False) -> None:
    """The names of all templates."""
    async with open_database() as services:
        names = await services.contact_actions.names()
    if json:
        say_json(names)
    else:
        say("\n".join(names) or "There are none yet; save one with 'serienmail action save'.")


async def _show(mails: "MassMails", prepared: "PreparedAction") -> None:
    """How many notes, tasks and mails there will be."""
    for kind, part in ((Kind.NOTE, prepared.action.note), (Kind.TASK, prepared.action.task)):
        if part:
            say(f"{prepared.people} {kind}s: {part.subject} ({part.type})")
    if prepared.mail:
        say()
        await show_prepared(mails, prepared.mail)
