"""`template …`: the library of templates."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from starter.commands.calling import Json, command, open_database
from starter.commands.terminal import say, say_as_it_is, say_json

app = typer.Typer(name="template", help="Templates; each change is a revision of its own.", no_args_is_help=True)


@command(app, "add")
async def add(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="name, subject, text, html.")], json: Json = False
) -> None:
    """Save a template as the next revision of its name."""
    from starter.template_file import read_template

    async with open_database() as services:
        ref = await services.templates.add(read_template(file), datetime.now(UTC))
    if json:
        say_json({"template": str(ref)})
    else:
        say(f"Saved as {ref}.")


@command(app, "list")
async def list_templates(json: Json = False) -> None:
    """The newest revision of each template."""
    async with open_database() as services:
        refs = [str(ref) for ref in await services.templates.names()]
    if json:
        say_json(refs)
    else:
        say("\n".join(refs) or "There are no templates yet; add one with 'serienmail template add'.")


@command(app, "show")
async def show(
    name: Annotated[str, typer.Argument(help="A name, or name@revision.")], json: Json = False
) -> None:
    """A template as it was saved."""
    async with open_database() as services:
        template = await services.templates.get(await services.templates.newest(name))
    if json:
        say_json(template)
        return
    say_as_it_is(f"{template.ref}\nSubject: {template.subject}")
    for body in filter(None, (template.text, template.html)):
        say_as_it_is(f"\n{body.rstrip()}")
