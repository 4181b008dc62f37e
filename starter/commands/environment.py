"""`rehearse`, `dev` and `demo`: whole environments on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from starter.commands.calling import Json, OrderPath

app = typer.Typer()


@app.command("rehearse")
def rehearse(order: OrderPath, json: Json = False) -> None:
    """Carry an order out against a local inbox, weeks in seconds; nobody gets anything."""
    from starter.rehearsal import rehearse_command

    raise typer.Exit(rehearse_command(order, json))


@app.command("dev")
def dev() -> None:
    """Temporal, database, inbox, web and worker on this machine, until Ctrl-C."""
    from starter.environment import dev_command

    raise typer.Exit(dev_command())


@app.command("demo")
def demo(
    contacts: Annotated[Path, typer.Option(help="A CSV file with contacts.")] = Path("examples/kontakte.csv"),
    mapping: Annotated[Path | None, typer.Option(help="A TOML file: which column is which field.")] = None,
    json: Json = False,
) -> None:
    """A whole mass mail with follow-ups, in a minute."""
    from starter.demo import demo_command

    raise typer.Exit(demo_command(contacts, mapping, json))
