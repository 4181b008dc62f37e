"""A template as a TOML file: name, subject, text, html."""

from pathlib import Path

from serienmail.domain.errors import InvalidOrder
from serienmail.domain.template import Template
from serienmail.mailing.template import compile_template
from starter.toml_file import Table, read_toml


def read_template(path: Path) -> Template:
    """InvalidOrder or TemplateFault if it can't be read or compiled."""
    table = Table(read_toml(path), ("name", "subject", "text", "html"))
    name, subject = table.text("name"), table.text("subject")
    if name is None or subject is None:
        raise InvalidOrder(f"The template in {path} needs a name and a subject; write name = \"…\", subject = \"…\".")
    if "@" in name or not name.isprintable():
        raise InvalidOrder("A template's name is one line without '@', which separates its revision; choose another.")
    template = Template(name, subject, text=table.text("text") or "", html=table.text("html") or "")
    if not (template.text or template.html):
        raise InvalidOrder(f"The template '{name}' has no body; give it text, html, or both.")
    compile_template(template)
    return template
