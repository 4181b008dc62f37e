"""`person …`: what is known about somebody, and how to forget it."""

from typing import Annotated

import typer

from starter.commands.calling import By, Json, command, open_database
from starter.commands.suppressions import Address
from starter.commands.terminal import ask, say, say_error, say_json

app = typer.Typer(name="person", help="One person's data.", no_args_is_help=True)


@command(app, "export")
async def export(address: Address, by: By) -> None:
    """Everything that is known about a person, as one JSON document."""
    from starter.people import People

    async with open_database() as services:
        say_json(await People(services).export(address, by))


@command(app, "erase")
async def erase(
    address: Address,
    by: By,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    json: Json = False,
) -> None:
    """Forget a person; only a keyed hash of the address stays, so that no import brings them back."""
    from starter.people import People

    if not (yes or ask("Erase everything about this person, for good?")):
        say_error("nothing was erased")
        raise typer.Exit(1)
    async with open_database() as services:
        erased = await People(services).erase(address, by)
    if json:
        say_json(erased)
    else:
        say(
            f"Erased: {erased.contacts} contacts, {erased.consents} answers about consent, {erased.places} places on"
            f" work lists, and who it was in {erased.mails} rows of the ledger and {erased.criteria} selections and"
            " filters."
        )
