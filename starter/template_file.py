"""A template as a TOML file, or as an HTML page from outside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serienmail.domain.enclosure import Enclosures
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.template import Template, check_name
from serienmail.mailing.markup import sanitised, text_from_html
from serienmail.mailing.template import compile_template
from starter.bodies import KEYS as BODY_KEYS
from starter.bodies import read_bodies
from starter.enclosing import KEYS as FILE_KEYS
from starter.enclosing import ReadFiles, read_files
from starter.letter import sender_of_template
from starter.services import Services
from starter.toml_file import Table, read_toml

_KEYS = ("name", "subject", "from_address", "reply_to", "from_name", *BODY_KEYS, *FILE_KEYS)


@dataclass(frozen=True, slots=True)
class TemplateFile:
    """A template as written, and the files it encloses."""

    template: Template
    files: ReadFiles = field(default_factory=lambda: ReadFiles(Enclosures(), _NO_CONTENTS))

    async def store_files(self, services: Services) -> Template:
        """The template, once its files are stored."""
        await self.files.store(services)
        return self.template


_NO_CONTENTS: Mapping[str, bytes] = {}


def read_template(path: Path) -> TemplateFile:
    """InvalidOrder or TemplateFault if it can't be read or compiled."""
    table = Table(read_toml(path), _KEYS)
    name, subject = table.text("name"), table.text("subject")
    if name is None or subject is None:
        raise InvalidOrder(f"The template in {path} needs a name and a subject; write name = \"…\", subject = \"…\".")
    files = read_files(table, path.parent) or ReadFiles(Enclosures(), _NO_CONTENTS)
    empty = Template(check_name(name), subject, enclosures=files.enclosures, sender=sender_of_template(table))
    template = read_bodies(table).apply(empty)
    if not (template.text or template.html):
        raise InvalidOrder(f"The template '{name}' has no body; give it text, html, or both.")
    compile_template(template)
    return TemplateFile(template, files)


def read_page(path: Path, name: str, subject: str) -> Template:
    """A page from outside, with the text made of it: cleaned, its styles inlined."""
    try:
        html = sanitised(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise InvalidOrder(f"The file {path} can't be read as UTF-8; check its name and its encoding.") from None
    template = Template(check_name(name), subject, text_from_html(html), html)
    compile_template(template)
    return template
