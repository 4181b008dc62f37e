"""`migrate` and `import`: the database, and the contacts in it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serienmail.domain.contact import CONTACTS
from starter.commands.calling import By, Json, Module, command, open_database
from starter.commands.terminal import say, say_error, say_json, say_table
from starter.toml_file import read_criterion

if TYPE_CHECKING:
    from serienmail.storage.contact_file import ImportReport

app = typer.Typer()
_SHOWN = 20


@command(app, "migrate")
async def migrate_database(by: By) -> None:
    """Bring the database to the tables this version needs."""
    from serienmail.settings import load_settings
    from serienmail.storage.audit import AuditStore
    from serienmail.storage.database import Database
    from serienmail.storage.migration import migrate, revision_of

    database = Database(load_settings().database_url)
    try:
        before = await revision_of(database)
        await migrate(database)
        if (after := await revision_of(database)) != before:
            audit = AuditStore(database)
            await audit.add("migrate", by, "database", before={"tables": before}, after={"tables": after})
    finally:
        await database.close()
    say("The database is up to date.")


@command(app, "import")
async def import_file(
    by: By,
    file: Annotated[Path | None, typer.Argument(help="CSV or XLSX with headings, or vCard.")] = None,
    source: Annotated[str | None, typer.Option(help="Instead of a file: a source of the settings.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="A TOML file: which column is which field.")] = None,
    module: Module = CONTACTS,
    work_list: Annotated[str | None, typer.Option("--list", help="Put them on this work list.")] = None,
    json: Json = False,
) -> None:
    """Add and update contacts, or another module's records, from a CRM's export or its database; repeatable."""
    from starter.importing import import_from

    if (file is None) == (source is None):
        raise typer.BadParameter("give a file, or a source of the settings", param_hint="FILE")
    async with open_database() as services:
        report = await import_from(services, file or str(source), mapping, module, work_list, by=by)
    if json:
        say_json(report)
    else:
        _show(report)
    if report.added + report.changed + report.unchanged == 0:
        say_error("no contact could be imported; correct the file")
        raise typer.Exit(1)


@command(app, "near-duplicates")
async def near_duplicates(
    where: Annotated[str | None, typer.Option(metavar="CRITERION", help="Among whom, as in an order.")] = None,
    module: Module = CONTACTS,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="So many pairs at most.")] = 100,
    json: Json = False,
) -> None:
    """Suggest records that may be one person: of one postcode, with much the same name. Nothing is changed."""
    from starter.recipients import Recipients

    async with open_database() as services:
        criterion = read_criterion(where) if where else None
        pairs = await Recipients(services).near_duplicates(criterion, module, limit)
    if json:
        say_json(pairs)
    elif pairs:
        say_table(["key", "other", "alike"], [[p.key, p.other, f"{p.alike} %"] for p in pairs], numbers=[2])
    else:
        say("There are none.")


def _show(report: "ImportReport") -> None:
    say(
        f"{report.rows} rows: {report.added} contacts added, {report.changed} changed,"
        f" {report.unchanged} unchanged, {len(report.bad)} not imported."
    )
    if report.bad:
        say()
        say_table(["line", "why"], [[str(bad.line), bad.reason] for bad in report.bad[:_SHOWN]], numbers=[0])
    if len(report.bad) > _SHOWN:
        say(f"… and {len(report.bad) - _SHOWN} more; --json shows all.")
