"""The part of Jinja2 that mails may use: whatever a template's author writes, compiling and rendering end at once.

Jinja2's own sandbox keeps a template from Python's internals, but limits neither time nor memory. Here a template is a
straight line: without loops, macros and calls each of its expressions is evaluated once at most. A contact has nothing
to loop over. What is left could grow by repetition (``a ~ a``, numbers, widths), so each value has a longest length.
"""

import re
from collections.abc import Callable, Mapping
from functools import wraps
from itertools import islice
from typing import Any

import jinja2
from jinja2 import nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS, do_replace
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from serienmail.domain.contact import LARGEST_NUMBER
from serienmail.domain.errors import PlaceholderMissing, TemplateFault

LONGEST_OUTPUT = 1_000_000
"""Characters of one body, and of its template."""
_LONGEST_VALUE = 10_000  # characters of what a filter or ~ makes
_MOST_TOKENS = 10_000  # a placeholder has eight
_MOST_JOINED = 50  # operands of one chain of ~
_FILTERS = (
    "abs", "capitalize", "count", "d", "default", "e", "escape", "first", "float", "format", "int", "last", "length",
    "lower", "replace", "round", "safe", "string", "striptags", "title", "trim", "truncate", "upper", "urlencode",
    "wordcount",
)  # fmt: skip
_USABLE = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.Getattr, nodes.Getitem,
    nodes.Slice, nodes.Filter, nodes.Test, nodes.Keyword, nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand,
    nodes.And, nodes.Or, nodes.Not, nodes.Concat, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod,
    nodes.Neg, nodes.Pos, nodes.Assign, nodes.List, nodes.Tuple,
)  # fmt: skip
_WIDE = re.compile(r"%[^a-zA-Z%]*(?:\*|\d{3})")


class ContactFields:
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
        prefix = "contact." if isinstance(self._undefined_obj, ContactFields) else ""
        return f"{prefix}{self._undefined_name}"


class Sandbox(ImmutableSandboxedEnvironment):
    """One for HTML, which is escaped, and one for texts."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def __init__(self, *, autoescape: bool) -> None:
        # Nothing may be evaluated at compile time: the optimizer would, and so would an output without `finalize`.
        super().__init__(undefined=_Missing, autoescape=autoescape, optimized=False, finalize=_as_it_is)
        self.globals.clear()
        self.filters = {name: _bounded(_OWN_FILTERS.get(name, FILTERS[name])) for name in _FILTERS}
        self.filters["bounded"] = _bounded(lambda value: value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Calculate. Texts aren't added, repeated or formatted by operators, and numbers don't grow without end."""
        for side in (left, right):
            if isinstance(side, jinja2.Undefined):
                str(side)  # says which placeholder is empty
            if not isinstance(side, int | float) or abs(side) > LARGEST_NUMBER:
                raise SecurityError("only numbers of up to 15 digits can be calculated with")
        return super().call_binop(context, operator, left, right)

    def read(self, part: str, source: str) -> nodes.Template:
        """The template's tree; TemplateFault if a mail can't have it. part: subject, text or html."""
        try:
            if len(source) > LONGEST_OUTPUT or any(islice(self.lex(source), _MOST_TOKENS, None)):
                raise TemplateFault(f"the template's {part} is too long; shorten it.")
            tree = self.parse(source)
            for node in tree.find_all(nodes.Node):
                _check_usable(part, node)
        except jinja2.TemplateSyntaxError as error:
            raise syntax_fault(part, error) from None
        except (RecursionError, ValueError, MemoryError) as error:  # brackets in brackets, numbers of 5,000 digits
            raise TemplateFault(f"the template's {part} can't be read ({type(error).__name__}); simplify it.") from None
        return tree

    def compile_tree(self, part: str, tree: nodes.Template) -> jinja2.Template:
        """The template as code."""
        try:
            return self.from_string(_Bounded().visit(tree))
        except jinja2.TemplateSyntaxError as error:
            raise syntax_fault(part, error) from None
        except (RecursionError, SyntaxError, MemoryError) as error:
            raise TemplateFault(f"the template's {part} can't be read ({type(error).__name__}); simplify it.") from None


def syntax_fault(part: str, error: jinja2.TemplateSyntaxError) -> TemplateFault:
    """What Jinja2 says about a template that it can't read."""
    return TemplateFault(
        f"line {error.lineno} of the template's {part} can't be read ({error.message}); correct it and save it again."
    )


def _check_usable(part: str, node: nodes.Node) -> None:
    what = type(node).__name__.lower()
    if not isinstance(node, _USABLE):
        raise TemplateFault(
            f"line {node.lineno} of the template's {part} has what mails can't have ({what}); use placeholders,"
            " filters, conditions and set."
        )
    if isinstance(node, nodes.Concat) and len(node.nodes) > _MOST_JOINED:
        raise TemplateFault(f"line {node.lineno} of the template's {part} joins too many values; shorten it.")
    if isinstance(node, nodes.Assign) and not isinstance(node.target, nodes.Name):
        raise TemplateFault(f"line {node.lineno} of the template's {part} sets more than one name; set one at a time.")


class _Bounded(NodeTransformer):
    """``a ~ a`` as ``(a ~ a) | bounded``: set by set it would double."""

    def visit_Concat(self, node: nodes.Concat, *args: Any, **kwargs: Any) -> nodes.Node:
        joined = self.generic_visit(node)
        return nodes.Filter(joined, "bounded", [], [], None, None, lineno=node.lineno, environment=node.environment)


def _bounded(filter: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(filter)  # and what it wants passed: context or environment
    def run(*args: Any, **kwargs: Any) -> Any:
        result = filter(*args, **kwargs)
        if isinstance(result, str) and len(result) > _LONGEST_VALUE:
            raise SecurityError("a value is too long")
        return result

    return run


@pass_context
def _as_it_is(_context: Context, value: Any) -> Any:
    return value


def _format(pattern: str, *args: Any, **kwargs: Any) -> str:
    """As ``'%.2f' | format(contact.price)``, without widths or digits of 100 and more."""
    if _WIDE.search(pattern):
        raise SecurityError("a width is too large")
    return str(FILTERS["format"](pattern, *args, **kwargs))


def _round(value: float, precision: int = 0, method: str = "common") -> float:
    if not 0 <= precision <= 15:  # it calculates 10 ** precision
        raise SecurityError("a precision is too large")
    return float(FILTERS["round"](value, precision, method))


@jinja2.pass_eval_context
def _replace(context: nodes.EvalContext, text: str, old: str, new: str, count: int | None = None) -> str:
    if len(str(text)) + str(text).count(str(old)) * len(str(new)) > _LONGEST_VALUE:
        raise SecurityError("a value is too long")
    return do_replace(context, text, old, new, count)


_OWN_FILTERS: Mapping[str, Callable[..., Any]] = {"format": _format, "round": _round, "replace": _replace}
TEXT = Sandbox(autoescape=False)
HTML = Sandbox(autoescape=True)
