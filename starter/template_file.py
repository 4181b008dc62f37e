"""A template as a TOML file, or as an HTML page from outside."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serienmail.domain.enclosure import Enclosures
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.template import Template, check_name
from serienmail.mailing.markup import html_from_text, sanitised, text_from_html, with_inline_styles
from serienmail.mailing.template import compile_template
from starter.enclosing import KEYS as FILE_KEYS
from starter.enclosing import ReadFiles, read_files
from starter.letter import sender_of_template
from starter.services import Services
from starter.toml_file import Table, read_toml

_KEYS = ("name", "subject", "text", "html", "text_from_html", "html_from_text", "from_address", "reply_to", "from_name")


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
    table = Table(read_toml(path), (*_KEYS, *FILE_KEYS))
    name, subject = table.text("name"), table.text("subject")
    if name is None or subject is None:
        raise InvalidOrder(f"The template in {path} needs a name and a subject; write name = \"…\", subject = \"…\".")
    files = read_files(table, path.parent) or ReadFiles(Enclosures(), _NO_CONTENTS)
    text, html = _bodies(table, name)
    template = Template(
        check_name(name), subject, text, html, enclosures=files.enclosures, sender=sender_of_template(table)
    )
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


def _bodies(table: Table, name: str) -> tuple[str, str]:
    """Text and HTML; one made of the other if the file says so."""
    text, html = table.text("text") or "", with_inline_styles(table.text("html") or "")
    if not (text or html):
        raise InvalidOrder(f"The template '{name}' has no body; give it text, html, or both.")
    if table.flag("text_from_html"):
        text = _made(text, html, "text", text_from_html)
    if table.flag("html_from_text"):
        html = _made(html, text, "html", html_from_text)
    return text, html


def _made(given: str, source: str, kind: str, make: Callable[[str], str]) -> str:
    if given or not source:
        raise InvalidOrder(f"The template's {kind} is to be made of its other body; give that one, and no {kind}.")
    return make(source)
