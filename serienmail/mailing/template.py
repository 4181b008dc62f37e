"""A template compiled in a sandbox, and rendered for one contact at a time."""

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2 import meta, nodes

from serienmail.domain.errors import TemplateFault
from serienmail.domain.template import Template
from serienmail.mailing.message import check_one_line
from serienmail.mailing.plain_part import PlainPart, plain_part
from serienmail.mailing.sandbox import HTML, LONGEST_OUTPUT, TEXT, ContactFields, Sandbox, syntax_fault

_VARIABLES = {"contact", "salutation", "unsubscribe_url", "signature"}


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail's words. An empty text or html is a body that the template doesn't have."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class JinjaPart:
    """A subject or body with conditions, filters or calculations."""

    name: str
    template: jinja2.Template

    def render(self, variables: Mapping[str, Any]) -> str:
        """The words; PlaceholderMissing or another TemplateFault, which never carries a value."""
        pieces, size = [], 0
        try:
            for piece in self.template.generate({**variables, "contact": ContactFields(variables["contact"])}):
                pieces.append(piece)
                size += len(piece)
                if size > LONGEST_OUTPUT:
                    raise TemplateFault(f"the template's {self.name} grows over {LONGEST_OUTPUT:,} characters.")
        except TemplateFault:
            raise
        except Exception as error:  # a template is a program of its author: it can fail in any way
            # The error's own text may carry a contact's data.
            kind = type(error).__name__
            raise TemplateFault(f"the template's {self.name} can't be rendered ({kind}); correct it.") from None
        return "".join(pieces)


Part = PlainPart | JinjaPart
"""Both are called with the variables ``contact`` (a mapping), ``salutation`` and ``unsubscribe_url``."""


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """Subject and bodies as functions of a contact. Compiling takes milliseconds, rendering microseconds: keep it."""

    subject: Part
    text: Part
    html: Part

    def render(self, contact: Mapping[str, Any], *, salutation: str, **urls: str) -> Rendered:
        """The mail for this contact. urls: ``unsubscribe_url``, or ``confirm_url`` in a request for consent.

        PlaceholderMissing if it prints a field that this contact has no value for; TemplateFault, which never
        carries a value, if it can't be rendered or its subject isn't one line.
        """
        variables = {"contact": contact, "salutation": salutation, **urls}
        return Rendered(
            subject=check_one_line("Subject", self.subject.render(variables)),
            text=self.text.render(variables),
            html=self.html.render(variables),
        )


def compile_template(template: Template) -> CompiledTemplate:
    """Compile; TemplateFault, with the line, if a part can't be read."""
    return CompiledTemplate(
        subject=_compiled("subject", template.subject, TEXT),
        text=_compiled("text", template.text, TEXT),
        html=_compiled("html", template.html, HTML),
    )


def unknown_placeholders(template: Template, known: Collection[str]) -> tuple[str, ...]:
    """The placeholders, as written, that no contact can fill. known: the names of all contact fields."""
    used: set[str] = set()
    for part, source in (("subject", template.subject), ("text", template.text), ("html", template.html)):
        used.update(_placeholders(part, source))
    return tuple(sorted(used - _VARIABLES - {f"contact.{field}" for field in known}))


def check_placeholders(template: Template, known: Collection[str]) -> None:
    """TemplateFault for the first placeholder that no contact can fill, with the nearest that one can."""
    candidates = [f"contact.{field}" for field in known] + sorted(_VARIABLES - {"contact"})
    for name in unknown_placeholders(template, known):
        nearest = difflib.get_close_matches(name, candidates, n=1, cutoff=0.5)
        advice = f"did you mean {nearest[0]}?" if nearest else "use a field of the contacts, as contact.<field>."
        raise TemplateFault(f"the template uses {name}, which no contact has; {advice}")


def _compiled(part: str, source: str, sandbox: Sandbox) -> Part:
    tree = sandbox.read(part, source)
    return plain_part(tree, html=sandbox.autoescape is True) or JinjaPart(part, sandbox.compile_tree(part, tree))


def _placeholders(part: str, source: str) -> Iterator[str]:
    tree = TEXT.read(part, source)
    try:
        yield from meta.find_undeclared_variables(tree)
    except jinja2.TemplateSyntaxError as error:
        raise syntax_fault(part, error) from None
    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
        match node:
            case nodes.Getattr(node=nodes.Name(name="contact"), attr=field):
                yield f"contact.{field}"
            case nodes.Getitem(node=nodes.Name(name="contact"), arg=nodes.Const(value=field)):
                yield f"contact.{field}"
