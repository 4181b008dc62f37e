"""Which comparisons make sense for a field of which type."""

from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches

from serienmail.domain.contact import LARGEST_NUMBER, FieldType
from serienmail.domain.criteria import DEEPEST, Comparison, Criterion, Operator, Plain, size
from serienmail.domain.errors import InvalidOrder

MOST_VALUES = 10_000
"""Of one ``in``: a database takes no more than some ten thousand values in one question."""
MOST_PARTS = 500
"""Of one criterion, with those of its filters; SQLite takes an expression of 1,000 levels, and a long any is one."""


def check_size(criterion: Criterion) -> None:
    """InvalidOrder if no database would take the question."""
    found = size(criterion)
    if found.parts > MOST_PARTS:
        raise InvalidOrder(
            f"the criteria have {found.parts} parts, {MOST_PARTS} at most can be asked; use 'in', or a work list."
        )
    if found.values > MOST_VALUES:
        raise InvalidOrder(f"the criteria compare with {found.values} values; make a work list of so many.")


def check_depth(criterion: Criterion) -> None:
    """InvalidOrder if what is kept of it couldn't be read again."""
    if size(criterion).depth > DEEPEST:
        raise InvalidOrder(f"the criteria are nested more than {DEEPEST} deep; write them flatter.")


def nearest(name: str, known: Iterable[str]) -> str:
    """What somebody may have meant: the nearest of the known names, else all of them."""
    names = list(known)
    if found := get_close_matches(name, names, n=1):
        return f"did you mean '{found[0]}'"
    return f"use one of {', '.join(names)}" if names else "there are none yet"


_ORDERED = {Operator.EQ, Operator.NE, Operator.LT, Operator.LE, Operator.GT, Operator.GE, Operator.IN, Operator.EMPTY}
_OPERATORS = {
    FieldType.TEXT: set(Operator),
    FieldType.NUMBER: _ORDERED,
    FieldType.DATE: _ORDERED,
    FieldType.BOOLEAN: {Operator.EQ, Operator.NE, Operator.EMPTY},
}
_EXPECTED = {
    FieldType.TEXT: "a text, or with 'empty' instead of the text \"\"",
    FieldType.NUMBER: "a number of at most 15 digits",
    FieldType.DATE: "a date such as 2026-12-31",
    FieldType.BOOLEAN: "true or false",
}


def check_comparison(comparison: Comparison, fields: Mapping[str, FieldType]) -> None:
    """InvalidOrder unless the field is known and compared in a way its type can be."""
    name, operator, value = comparison.field, comparison.operator, comparison.value
    if name not in fields:
        raise InvalidOrder(f"there is no field '{name}'; {nearest(name, fields)}.")
    kind = fields[name]
    if operator not in _OPERATORS[kind]:
        possible = ", ".join(op for op in Operator if op in _OPERATORS[kind])
        raise InvalidOrder(f"'{operator}' can't be asked of '{name}', a {kind}; use one of {possible}.")
    if operator is Operator.EMPTY:
        if value is not None:
            raise InvalidOrder(f"'empty' takes no value; remove it from the criterion on '{name}'.")
    elif value in (None, ()) or (operator is Operator.IN) != isinstance(value, tuple):
        raise InvalidOrder(f"the criterion on '{name}' needs a list of values for 'in', else one value; correct it.")
    elif isinstance(value, tuple) and len(value) > MOST_VALUES:
        raise InvalidOrder(f"'{name}' is compared with {len(value)} values; make a work list of so many.")
    elif not all(_fits(part, kind) for part in (value if isinstance(value, tuple) else (value,))):
        raise InvalidOrder(f"'{name}' is a {kind}; compare it with {_EXPECTED[kind]}.")


def _fits(value: Plain | None, kind: FieldType) -> bool:
    match kind:
        case FieldType.TEXT:
            return isinstance(value, str) and value != "" and "\0" not in value  # PostgreSQL knows no NUL
        case FieldType.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_NUMBER
        case FieldType.DATE:
            return isinstance(value, str) and _is_iso_date(value)
        case FieldType.BOOLEAN:
            return isinstance(value, bool)


def _is_iso_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text  # fromisoformat takes 20261231 too, which orders wrongly
    except ValueError:
        return False
