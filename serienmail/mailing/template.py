"""A template compiled in a sandbox, and rendered for one contact at a time."""

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from serienmail.domain.errors import PlaceholderMissing, TemplateFault
from serienmail.domain.template import Template
from serienmail.mailing.message import check_one_line

_MAX_OUTPUT = 1_000_000  # characters of one body; the sandbox itself limits neither memory nor time
_MAX_RANGE = 1_000
_VARIABLES = {"contact", "salutation", "unsubscribe_url", "signature"}


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail's words. An empty text or html is a body that the template doesn't have."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """Subject and bodies as functions of a contact. Compiling takes milliseconds, rendering microseconds: keep it."""

    subject: jinja2.Template
    text: jinja2.Template
    html: jinja2.Template

    def render(self, contact: Mapping[str, Any], *, salutation: str, **urls: str) -> Rendered:
        """The mail for this contact. urls: ``unsubscribe_url``, or ``confirm_url`` in a request for consent.

        PlaceholderMissing if it prints a field that this contact has no value for; TemplateFault, which never
        carries a value, if it can't be rendered or its subject isn't one line.
        """
        variables = {"contact": _Contact(contact), "salutation": salutation, **urls}
        return Rendered(
            subject=check_one_line("Subject", _render("subject", self.subject, variables)),
            text=_render("text", self.text, variables),
            html=_render("html", self.html, variables),
        )


def compile_template(template: Template) -> CompiledTemplate:
    """Compile; TemplateFault, with the line, if a part can't be read."""
    return CompiledTemplate(
        subject=_compile("subject", template.subject, _PLAIN),
        text=_compile("text", template.text, _PLAIN),
        html=_compile("html", template.html, _HTML),
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


class _Contact:
    """The fields that have a value. No mapping: a field may be called ``items`` or ``values``."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> Any:
        value = self._fields[name]
        if value is None or value == "":
            raise KeyError(name)
        return value

    def __str__(self) -> str:
        raise TemplateFault("the template prints the whole contact; name a field, as contact.<field>.")


class _Missing(jinja2.Undefined):
    """An empty field: it can be tested, compared and given a default, but not printed."""

    __slots__ = ()
    __str__ = __iter__ = __len__ = __contains__ = jinja2.Undefined._fail_with_undefined_error

    def __init__(
        self, hint: str | None = None, obj: Any = None, name: str | None = None, exc: Any = jinja2.UndefinedError
    ) -> None:
        failure: Any = PlaceholderMissing if exc is jinja2.UndefinedError else exc
        super().__init__(hint, obj, name, failure)

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint
        prefix = "contact." if isinstance(self._undefined_obj, _Contact) else ""
        return f"{prefix}{self._undefined_name}"


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        # "x" * 10**10 would fill the memory before the output is measured.
        if operator == "**" or not all(isinstance(side, int | float) for side in (left, right)):
            raise SecurityError("only numbers can be multiplied")
        return left * right


def _sandbox(*, autoescape: bool) -> _Sandbox:
    sandbox = _Sandbox(undefined=_Missing, autoescape=autoescape)
    for name in ("lipsum", "cycler", "joiner"):
        del sandbox.globals[name]
    sandbox.globals["range"] = _range
    return sandbox


def _range(*arguments: int) -> range:
    numbers = range(*arguments)
    if len(numbers) > _MAX_RANGE:
        raise SecurityError(f"a range is longer than {_MAX_RANGE}")
    return numbers


_PLAIN = _sandbox(autoescape=False)
_HTML = _sandbox(autoescape=True)


def _compile(part: str, source: str, sandbox: _Sandbox) -> jinja2.Template:
    try:
        return sandbox.from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise _syntax_fault(part, error) from None


def _syntax_fault(part: str, error: jinja2.TemplateSyntaxError) -> TemplateFault:
    return TemplateFault(
        f"line {error.lineno} of the template's {part} can't be read ({error.message}); correct it and save it again."
    )


def _placeholders(part: str, source: str) -> Iterator[str]:
    try:
        tree = _PLAIN.parse(source)
        yield from meta.find_undeclared_variables(tree)
    except jinja2.TemplateSyntaxError as error:
        raise _syntax_fault(part, error) from None
    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
        match node:
            case nodes.Getattr(node=nodes.Name(name="contact"), attr=field):
                yield f"contact.{field}"
            case nodes.Getitem(node=nodes.Name(name="contact"), arg=nodes.Const(value=field)):
                yield f"contact.{field}"


def _render(part: str, template: jinja2.Template, variables: Mapping[str, Any]) -> str:
    pieces, size = [], 0
    try:
        for piece in template.generate(variables):
            pieces.append(piece)
            size += len(piece)
            if size > _MAX_OUTPUT:
                raise TemplateFault(f"the template's {part} grows over {_MAX_OUTPUT:,} characters; shorten it.")
    except TemplateFault:
        raise
    except Exception as error:  # a template is a program of its author: it can fail in any way
        # The error's own text may carry a contact's data.
        raise TemplateFault(f"the template's {part} can't be rendered ({type(error).__name__}); correct it.") from None
    return "".join(pieces)
