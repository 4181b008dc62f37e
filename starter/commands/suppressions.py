"""`suppressions …`: the addresses that get no mass mail."""

from pathlib import Path
from typing import Annotated

import typer

from starter.commands.calling import By, Json, command, open_database
from starter.commands.terminal import moment, say, say_json, say_table, words

app = typer.Typer(name="suppressions", help="Addresses that get no mass mail.", no_args_is_help=True)
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="A mail address.")]
CsvFile = Annotated[Path, typer.Argument(metavar="FILE.csv", help="address, topic, reason, since, source.")]
_SHOWN = 20


@command(app, "list")
async def list_suppressions(json: Json = False) -> None:
    """The whole list; erased people stand there as a hash."""
    async with open_database() as services:
        found = await services.suppressions.all()
    if json:
        say_json(found)
    elif found:
        rows = [[s.address_key, s.topic or "all", words(s.reason), moment(s.since), s.source] for s in found]
        say_table(["address", "topic", "reason", "since", "source"], rows)
    else:
        say("The list is empty.")


@command(app, "add")
async def add(
    address: Address,
    by: By,
    topic: Annotated[str, typer.Option(help="Only of this topic; all if not given.")] = "",
) -> None:
    """No more mass mail to an address, also if it is due already."""
    from starter.people import People

    async with open_database() as services:
        added = await People(services).suppress(address, by, topic)
    say("It is on the list." if added else "It was on the list already.")


@command(app, "remove")
async def remove(
    address: Address,
    by: By,
    topic: Annotated[str | None, typer.Option(help="Only of this topic.")] = None,
) -> None:
    """Take an address off the list; mails that it missed stay excluded."""
    from starter.people import People

    async with open_database() as services:
        await People(services).release(address, by, topic)
    say("It is off the list.")


@command(app, "import")
async def import_list(file: CsvFile, by: By, json: Json = False) -> None:
    """Put a file's addresses on the list; only the column 'address' is needed."""
    from starter.people import People

    async with open_database() as services:
        done = await People(services).import_list(file, by)
    if json:
        say_json(done)
    else:
        say(f"{done.added} added, {done.known} on the list already, {len(done.bad)} not usable.")
        if done.bad:
            say_table(["line", "why"], [[str(bad.line), bad.reason] for bad in done.bad[:_SHOWN]], numbers=[0])
        if len(done.bad) > _SHOWN:
            say(f"… and {len(done.bad) - _SHOWN} more; --json shows all.")
    if done.bad:
        raise typer.Exit(1)


@command(app, "export")
async def export_list(file: CsvFile, by: By) -> None:
    """Write the whole list to a file that 'import' and spreadsheets read."""
    from starter.people import People

    async with open_database() as services:
        entries = await People(services).export_list(file, by)
    say(f"{entries} entries are in {file}.")
