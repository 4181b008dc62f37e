"""A subject or body that is nothing but text and placeholders: what most templates are, and joined without Jinja2."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from jinja2 import nodes
from markupsafe import escape

from serienmail.domain.errors import PlaceholderMissing, TemplateFault
from serienmail.mailing.sandbox import LONGEST_OUTPUT

_FIELD = re.compile(r"[a-z][a-z0-9_]*")  # no underscore in front: the sandbox refuses those
_CONTACT = "contact."
_MARKUP = re.compile(r"[&<>'\"]")  # what ``escape`` replaces; it takes twice as long to find none
_VARIABLE = re.compile(r"salutation|unsubscribe_url|link_url_\d+")


@dataclass(frozen=True, slots=True)
class Hole:
    """A placeholder: ``contact.<field>``, or another variable. default: for an empty field; None: must be filled."""

    name: str
    default: str | None = None

    @property
    def field(self) -> str:
        """The contact's field; empty for another variable."""
        return self.name.removeprefix(_CONTACT) if self.name.startswith(_CONTACT) else ""


@dataclass(frozen=True)
class PlainPart:
    """literals: the text around the holes, one more than there are holes. html: what fills them is escaped."""

    literals: tuple[str, ...]
    holes: tuple[Hole, ...]
    html: bool = field(kw_only=True)

    def __add__(self, other: "PlainPart") -> "PlainPart":
        """One after the other."""
        seam = self.literals[-1] + other.literals[0]
        literals = (*self.literals[:-1], seam, *other.literals[1:])
        return PlainPart(literals, self.holes + other.holes, html=self.html)

    def split(self, literal: int, at: int) -> tuple["PlainPart", "PlainPart"]:
        """In two, at this character of a literal."""
        text = self.literals[literal]
        before = PlainPart((*self.literals[:literal], text[:at]), self.holes[:literal], html=self.html)
        after = PlainPart((text[at:], *self.literals[literal + 1 :]), self.holes[literal:], html=self.html)
        return before, after

    def render(self, variables: Mapping[str, Any]) -> str:
        """The words, as Jinja2 would write them; PlaceholderMissing if a field without default is empty."""
        pieces = list(self._frame)
        fillings = self.fillings(variables)
        pieces[1::2] = [fillings[index] for index in self.order]
        if sum(map(len, pieces)) > LONGEST_OUTPUT:
            raise TemplateFault(f"the mail grows over {LONGEST_OUTPUT:,} characters; shorten what is filled in.")
        return "".join(pieces)

    def fillings(self, variables: Mapping[str, Any]) -> Sequence[str]:
        """What goes into the holes, each different one once."""
        contact, texts = variables["contact"], list[str]()
        for hole, name in self._distinct:
            value = contact.get(name) if name else variables[hole.name]
            if name and (value is None or value == ""):
                value = hole.default
                if value is None:
                    raise PlaceholderMissing(hole.name)
            text = str(value)
            texts.append(escape(text) if self.html and _MARKUP.search(text) else text)
        return texts

    @cached_property
    def order(self) -> Sequence[int]:
        """For each hole, which of the fillings goes into it."""
        distinct = [hole for hole, _ in self._distinct]
        return [distinct.index(hole) for hole in self.holes]

    @cached_property
    def _distinct(self) -> list[tuple[Hole, str]]:
        return [(hole, hole.field) for hole in dict.fromkeys(self.holes)]

    @cached_property
    def _frame(self) -> list[str]:
        frame = [""] * (2 * len(self.literals) - 1)
        frame[::2] = self.literals
        return frame


def plain_part(tree: nodes.Template, *, html: bool) -> PlainPart | None:
    """The same as a plain part; None if there is more in it."""
    literals, holes = [""], list[Hole]()
    for statement in tree.body:
        if not isinstance(statement, nodes.Output):
            return None
        for node in statement.nodes:
            if isinstance(node, nodes.TemplateData):
                literals[-1] += node.data
            elif hole := _hole(node):
                holes.append(hole)
                literals.append("")
            else:
                return None
    return PlainPart(tuple(literals), tuple(holes), html=html)


def _hole(node: nodes.Node) -> Hole | None:
    match node:
        case nodes.Name(name=name) if _VARIABLE.fullmatch(name):
            return Hole(name)
        case nodes.Getattr(node=nodes.Name(name="contact"), attr=str(name)) if _FIELD.fullmatch(name):
            return Hole(_CONTACT + name)
        case nodes.Getitem(node=nodes.Name(name="contact"), arg=nodes.Const(value=str(name))) if _FIELD.fullmatch(name):
            return Hole(_CONTACT + name)
        case nodes.Filter(
            name="default" | "d", args=[nodes.Const(value=str(default))], kwargs=[], dyn_args=None, dyn_kwargs=None
        ):
            of = _hole(node.node) if node.node else None
            return Hole(of.name, default) if of and of.field and of.default is None else None
    return None
