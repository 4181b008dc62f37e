"""A mail's two bodies as files give them: text, HTML or both, and one made of the other on request."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from serienmail.domain.errors import InvalidOrder
from serienmail.domain.template import Template
from serienmail.mailing.markup import html_from_text, text_from_html, with_inline_styles
from starter.toml_file import Table

KEYS = ("text", "html", "text_from_html", "html_from_text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bodies:
    """text, html: None: as the template has it. text_from_html, html_from_text: that one is made of the other."""

    text: str | None = None
    html: str | None = None
    text_from_html: bool = False
    html_from_text: bool = False

    def apply(self, template: Template) -> Template:
        """The template with these bodies in place of its own; InvalidOrder if the two would say different things."""
        text = template.text if self.text is None else self.text
        html = template.html if self.html is None else with_inline_styles(self.html)
        if self.text_from_html:
            text = _made(self.text, html, "text", text_from_html)
        elif self.html_from_text:
            html = _made(self.html, text, "html", html_from_text)
        elif (self.text is None) != (self.html is None) and text and html:
            raise InvalidOrder(
                f"The template '{template.name}' has text and html; change both, or one with text_from_html = true or "
                "html_from_text = true."
            )
        return replace(template, text=text, html=html)


def read_bodies(table: Table) -> Bodies:
    """What KEYS say; InvalidOrder if each is to be made of the other."""
    bodies = Bodies(
        text=table.text("text"),
        html=table.text("html"),
        text_from_html=table.flag("text_from_html") or False,
        html_from_text=table.flag("html_from_text") or False,
    )
    if bodies.text_from_html and bodies.html_from_text:
        raise InvalidOrder("Text and html can't both be made of the other; take text_from_html or html_from_text out.")
    return bodies


def _made(given: str | None, source: str, kind: str, make: Callable[[str], str]) -> str:
    if given is not None or not source:
        raise InvalidOrder(f"The {kind} is to be made of the other body; give that one, and no {kind}.")
    return make(source)
