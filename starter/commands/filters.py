"""`filters …`: criteria with a name, evaluated each time they are used."""

from typing import Annotated

import typer

from serienmail.domain import criteria
from serienmail.domain.contact import CONTACTS
from serienmail.domain.errors import NotFound
from starter.commands.calling import By, Json, Module, command, open_database
from starter.commands.terminal import say, say_json, say_table
from starter.toml_file import read_criterion

app = typer.Typer(name="filters", help="Saved filters: criteria with a name.", no_args_is_help=True)
FilterName = Annotated[str, typer.Argument(metavar="NAME", help="The filter's name.")]
Where = Annotated[str, typer.Option(metavar="CRITERION", help="As in an order: '{field = …, op = …, value = …}'.")]


@command(app, "create")
async def create(name: FilterName, where: Where, by: By, module: Module = CONTACTS, json: Json = False) -> None:
    """Save a filter, in place of the one that has its name; it may refer to other filters and to lists."""
    from starter.recipients import Recipients

    async with open_database() as services:
        records = await Recipients(services).save_filter(name, read_criterion(where), module, by=by)
    if json:
        say_json({"filter": name, "records": records})
    else:
        say(f"Saved; it picks {records} records now.")


@command(app, "list")
async def list_filters(json: Json = False) -> None:
    """All filters."""
    async with open_database() as services:
        found = await services.filters.all()
    if json:
        say_json([{"filter": saved.name, "module": saved.module} for saved in found])
    elif found:
        say_table(["filter", "module"], [[saved.name, saved.module] for saved in found])
    else:
        say("There are no filters yet; save one with 'serienmail filters create'.")


@command(app, "show")
async def show(name: FilterName, json: Json = False) -> None:
    """A filter's criterion, and how many records it picks now."""
    from starter.recipients import Recipients

    async with open_database() as services:
        saved = {each.name: each for each in await services.filters.all()}.get(name)
        if saved is None:
            raise NotFound(f"There is no filter '{name}'; 'serienmail filters list' shows those there are.")
        records = await Recipients(services).count(saved.criterion, saved.module)
    document = {"filter": name, "module": saved.module, "criterion": criteria.to_document(saved.criterion)}
    if json:
        say_json(document | {"records": records})
    else:
        say_json(document["criterion"])
        say(f"It picks {records} records of the module '{saved.module}' now.")


@command(app, "delete")
async def delete(name: FilterName, by: By) -> None:
    """Forget a filter."""
    from starter.recipients import Recipients

    async with open_database() as services:
        await Recipients(services).delete_filter(name, by=by)
    say(f"The filter '{name}' is deleted; whatever still refers to it is refused.")
