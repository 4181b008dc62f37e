"""`lists …`: work lists, which change only by hand."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serienmail.domain.contact import CONTACTS, LONGEST_KEY
from serienmail.domain.criteria import InList
from starter.commands.calling import By, Json, Module, command, open_database
from starter.commands.terminal import say, say_json, say_table
from starter.toml_file import read_criterion

if TYPE_CHECKING:
    from starter.recipients import Changed

app = typer.Typer(name="lists", help="Work lists: static lists of records.", no_args_is_help=True)
ListName = Annotated[str, typer.Argument(metavar="NAME", help="The list's name.")]
Keys = Annotated[list[str] | None, typer.Argument(metavar="KEY", help="The records' keys in the CRM.")]
Where = Annotated[
    str | None,
    typer.Option(metavar="CRITERION", help="Whom this picks now, as in an order: '{filter = \"south\"}'."),
]
_SHOWN = 20


@command(app, "create")
async def create(name: ListName, by: By, where: Where = None, module: Module = CONTACTS, json: Json = False) -> None:
    """Make a list: empty, or of whom a criterion or a filter picks now."""
    from starter.recipients import Recipients

    async with open_database() as services:
        changed = await Recipients(services).create_list(
            name, read_criterion(where) if where else None, module, by=by
        )
    _say_changed(name, f"There is a list '{name}' now, with", changed, json)


@command(app, "list")
async def list_lists(json: Json = False) -> None:
    """All work lists."""
    async with open_database() as services:
        found = await services.lists.all()
    if json:
        say_json(found)
    elif found:
        rows = [[each.name, each.module, str(each.records), str(each.gone)] for each in found]
        say_table(["list", "module", "records", "deleted since"], rows, numbers=[2, 3])
    else:
        say("There are no work lists yet; make one with 'serienmail lists create'.")


@command(app, "add")
async def add(name: ListName, by: By, keys: Keys = None, where: Where = None, json: Json = False) -> None:
    """Put records on a list: by their keys, or by a criterion."""
    from starter.recipients import Recipients

    async with open_database() as services:
        changed = await Recipients(services).add(
            name, keys or (), read_criterion(where) if where else None, by=by
        )
    _say_changed(name, "Added:", changed, json)


@command(app, "remove")
async def remove(name: ListName, by: By, keys: Keys = None, where: Where = None, json: Json = False) -> None:
    """Take records from a list: by their keys, or by a criterion."""
    from starter.recipients import Recipients

    async with open_database() as services:
        changed = await Recipients(services).remove(
            name, keys or (), read_criterion(where) if where else None, by=by
        )
    _say_changed(name, "Removed:", changed, json)


@command(app, "show")
async def show(name: ListName, json: Json = False) -> None:
    """Who is on a list: the first of them, or with --json the keys of all."""
    async with open_database() as services:
        module, keys = await services.lists.module(name), await services.lists.keys(name)
        found = await services.contacts.sample(_SHOWN, await services.selections.condition(InList(name), module))
    if json:
        say_json({"list": name, "module": module, "keys": keys})
        return
    say(f"{len(keys)} records of the module '{module}'.")
    if found:
        say()
        shown = ("key", "first_name", "last_name", "company", "city")
        say_table(shown, [[str(fields[column]) for column in shown] for fields in found])
    if len(keys) > _SHOWN:
        say("… and more; --json shows the keys of all.")


@command(app, "save")
async def save(name: ListName, file: Annotated[Path, typer.Argument(metavar="FILE.json")]) -> None:
    """Save a list to a file: its records' keys, and how they are structured."""
    from starter.recipients import Recipients

    async with open_database() as services:
        records = await Recipients(services).save_list(name, file)
    say(f"{file} has {records} records.")


@command(app, "load")
async def load(
    name: ListName,
    files: Annotated[list[Path], typer.Argument(metavar="FILE.json")],
    by: By,
    json: Json = False,
) -> None:
    """Put the records of saved files on a list, which is made if need be."""
    from starter.recipients import Recipients

    async with open_database() as services:
        changed = await Recipients(services).load_list(name, files, by=by)
    _say_changed(name, "Added:", changed, json)


@command(app, "delete")
async def delete(name: ListName, by: By) -> None:
    """Forget a list; its records stay."""
    from starter.recipients import Recipients

    async with open_database() as services:
        await Recipients(services).delete_list(name, by=by)
    say(f"The list '{name}' is deleted; whatever still refers to it is refused.")


def _say_changed(name: str, what: str, changed: "Changed", json: bool) -> None:
    if json:
        say_json({"list": name, "records": changed.records, "unknown": changed.unknown})
        return
    say(f"{what} {changed.records} records.")
    if changed.unknown:
        first = ", ".join(key[:LONGEST_KEY] for key in changed.unknown[:_SHOWN])
        more = ", …" if len(changed.unknown) > _SHOWN else ""
        say(f"Not found: {len(changed.unknown)} ({first}{more}).")
