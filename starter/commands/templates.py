"""`template …`: the library of templates."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from serienmail.domain.template import Template, TemplateRef
from starter.commands.calling import By, Json, command, open_database
from starter.commands.terminal import say, say_as_it_is, say_json

app = typer.Typer(name="template", help="Templates; each change is a revision of its own.", no_args_is_help=True)


@command(app, "add")
async def add(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="name, subject, text, html, attachments.")],
    by: By,
    draft: Annotated[bool, typer.Option("--draft", help="Keep it as a draft, which can't be sent yet.")] = False,
    json: Json = False,
) -> None:
    """Save a template as the next revision of its name, or as its draft."""
    from starter.library import Library
    from starter.template_file import read_template

    read = read_template(file)
    async with open_database() as services:
        library = Library(services)
        ref = await (library.save_draft(read, by) if draft else library.save(read, by))
    _say_saved(ref, json)


@command(app, "publish")
async def publish(
    name: Annotated[str, typer.Argument(help="A template that has a draft.")], by: By, json: Json = False
) -> None:
    """Make a template's draft its next revision."""
    from starter.library import Library

    async with open_database() as services:
        ref = await Library(services).publish(name, by)
    _say_saved(ref, json)


@command(app, "save-as")
async def save_as(
    name: Annotated[str, typer.Argument(help="A name, or name@revision.")],
    new_name: Annotated[str, typer.Argument(help="The copy's name.")],
    by: By,
    json: Json = False,
) -> None:
    """Save a template under another name."""
    from starter.library import Library

    async with open_database() as services:
        ref = await Library(services).save_as(name, new_name, by)
    _say_saved(ref, json)


@command(app, "import")
async def import_page(
    page: Annotated[Path, typer.Argument(metavar="PAGE.html", help="A page from outside.")],
    name: Annotated[str, typer.Option(help="The template's name.")],
    subject: Annotated[str, typer.Option(help="The template's subject.")],
    by: By,
    json: Json = False,
) -> None:
    """Save an HTML page as a template: cleaned of scripts, its styles inlined, with a text made of it."""
    from starter.library import Library
    from starter.template_file import TemplateFile, read_page

    read = TemplateFile(read_page(page, name, subject))
    async with open_database() as services:
        ref = await Library(services).save(read, by)
    _say_saved(ref, json)


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
    for line in _enclosed(template):
        say(line)


def _enclosed(template: Template) -> Iterator[str]:
    for file in template.enclosures.files:
        kind = f"image {file.content_id}" if file.content_id else "attachment"
        yield f"{kind}: {file.name}, {file.size:,} bytes"
    for pattern in template.enclosures.personal:
        yield f"personal attachment: {pattern}"


def _say_saved(ref: TemplateRef, json: bool) -> None:
    if json:
        say_json({"template": str(ref)})
    else:
        say(f"Saved as the draft {ref}." if ref.is_draft else f"Saved as {ref}.")
