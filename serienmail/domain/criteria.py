"""Criteria pick contacts: by their fields, by saved filters and by work lists, combined by all, any and not."""

import operator
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, assert_never, cast

from serienmail.domain.contact import Value
from serienmail.domain.errors import InvalidOrder

Plain = str | int | float | bool
"""A value to compare with, as JSON knows it. A date is ISO text, which orders as dates do."""


DEEPEST = 50
"""Levels of all, any and not; a database takes no more than some hundreds."""


class Operator(StrEnum):
    """How a field is compared."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    IN = "in"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    EMPTY = "empty"


class _Combinable:
    __slots__ = ()

    def __and__(self, other: "Criterion") -> "AllOf":
        return AllOf((cast("Criterion", self), other))

    def __or__(self, other: "Criterion") -> "AnyOf":
        return AnyOf((cast("Criterion", self), other))

    def __invert__(self) -> "Not":
        return Not(cast("Criterion", self))


@dataclass(frozen=True, slots=True)
class Comparison(_Combinable):
    """One field, compared with a value; with several for ``in``, with none for ``empty``.

    A field without a value (None or "") fails every comparison but ``empty`` and ``ne``. Texts are compared by
    code points, so case matters everywhere, in ``contains`` and ``starts_with`` too: the answer is the same here,
    on SQLite and on PostgreSQL.
    """

    field: str
    operator: Operator
    value: Plain | tuple[Plain, ...] | None = None


@dataclass(frozen=True, slots=True)
class InFilter(_Combinable):
    """The saved filter of this name applies, as it is saved when the question is asked."""

    name: str


@dataclass(frozen=True, slots=True)
class InList(_Combinable):
    """The contact is on the work list of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class AllOf(_Combinable):
    """Every part applies."""

    of: tuple["Criterion", ...]


@dataclass(frozen=True, slots=True)
class AnyOf(_Combinable):
    """At least one part applies."""

    of: tuple["Criterion", ...]


@dataclass(frozen=True, slots=True)
class Not(_Combinable):
    """The part doesn't apply."""

    of: "Criterion"


Criterion = Comparison | InFilter | InList | AllOf | AnyOf | Not


@dataclass(frozen=True, slots=True)
class where:  # lower case: it reads as a word, where("city").eq("Ulm") & ~where("email").empty()
    """A field, about to be compared."""

    field: str

    def eq(self, value: Plain | date) -> Comparison:
        return self._compared(Operator.EQ, value)

    def ne(self, value: Plain | date) -> Comparison:
        return self._compared(Operator.NE, value)

    def lt(self, value: Plain | date) -> Comparison:
        return self._compared(Operator.LT, value)

    def le(self, value: Plain | date) -> Comparison:
        return self._compared(Operator.LE, value)

    def gt(self, value: Plain | date) -> Comparison:
        return self._compared(Operator.GT, value)

    def ge(self, value: Plain | date) -> Comparison:
        return self._compared(Operator.GE, value)

    def in_(self, *values: Plain | date) -> Comparison:
        return Comparison(self.field, Operator.IN, tuple(_plain(value) for value in values))

    def contains(self, value: str) -> Comparison:
        return self._compared(Operator.CONTAINS, value)

    def starts_with(self, value: str) -> Comparison:
        return self._compared(Operator.STARTS_WITH, value)

    def empty(self) -> Comparison:
        return Comparison(self.field, Operator.EMPTY)

    def _compared(self, operator: Operator, value: Plain | date) -> Comparison:
        return Comparison(self.field, operator, _plain(value))


def matches(
    criterion: Criterion,
    contact: Mapping[str, Value],
    lists: Mapping[str, Container[Value]] = MappingProxyType({}),
) -> bool:
    """Whether the criterion applies to this contact; it must come from ``filters.resolved``.

    lists: the keys on each work list.
    """
    match criterion:
        case Comparison():
            return _compares(criterion, contact.get(criterion.field))
        case InList(name):
            return contact.get("key") in lists[name]
        case InFilter(name):
            raise ValueError(f"the filter '{name}' isn't resolved")
        case AllOf(of):
            return all(matches(part, contact, lists) for part in of)
        case AnyOf(of):
            return any(matches(part, contact, lists) for part in of)
        case Not(of):
            return not matches(of, contact, lists)
        case _:
            assert_never(criterion)


_TESTS: Mapping[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQ: operator.eq,
    Operator.NE: operator.ne,
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
    Operator.GT: operator.gt,
    Operator.GE: operator.ge,
    Operator.IN: lambda actual, values: actual in values,
    Operator.CONTAINS: operator.contains,
    Operator.STARTS_WITH: str.startswith,
}


def _compares(comparison: Comparison, actual: Value) -> bool:
    if actual is None or actual == "":
        return comparison.operator in (Operator.EMPTY, Operator.NE)
    if comparison.operator is Operator.EMPTY:
        return False
    return _TESTS[comparison.operator](_plain(actual), comparison.value)


def _plain(value: Plain | date) -> Plain:
    return value.isoformat() if isinstance(value, date) else value


@dataclass(frozen=True, slots=True)
class Size:
    """depth: levels; parts: comparisons and what combines them; values: that are compared with."""

    depth: int
    parts: int
    values: int


def size(criterion: Criterion) -> Size:
    """How large a criterion is; without recursion, since it may be of any depth."""
    depth = parts = values = 0
    left = [(criterion, 1)]
    while left:
        part, level = left.pop()
        depth, parts = max(depth, level), parts + 1
        match part:
            case Comparison(_, _, tuple() as several):
                values += len(several)
            case Not(of):
                left.append((of, level + 1))
            case AllOf(of) | AnyOf(of):
                left += [(each, level + 1) for each in of]
    return Size(depth, parts, values)


def to_document(criterion: Criterion) -> dict[str, Any]:
    """The criterion as it stands in order files: ``{"all": [{"field": "city", "op": "eq", "value": "Ulm"}]}``."""
    match criterion:
        case Comparison(field, operator, None):
            return {"field": field, "op": operator.value}
        case Comparison(field, operator, value):
            return {"field": field, "op": operator.value, "value": list(value) if isinstance(value, tuple) else value}
        case InFilter(name):
            return {"filter": name}
        case InList(name):
            return {"list": name}
        case AllOf(of):
            return {"all": [to_document(part) for part in of]}
        case AnyOf(of):
            return {"any": [to_document(part) for part in of]}
        case Not(of):
            return {"not": to_document(of)}
        case _:
            assert_never(criterion)


def from_document(document: object, depth: int = 0) -> Criterion:
    """Read what ``to_document`` writes, from JSON or TOML; InvalidOrder if it is something else."""
    if depth > DEEPEST:
        raise InvalidOrder(f"the criteria are nested more than {DEEPEST} deep; write them flatter.")
    match document:
        case {"all": [_, *_] as parts, **rest} if not rest:
            return AllOf(tuple(from_document(part, depth + 1) for part in parts))
        case {"any": [_, *_] as parts, **rest} if not rest:
            return AnyOf(tuple(from_document(part, depth + 1) for part in parts))
        case {"not": part, **rest} if not rest:
            return Not(from_document(part, depth + 1))
        case {"filter": str(name), **rest} if not rest:
            return InFilter(name)
        case {"list": str(name), **rest} if not rest:
            return InList(name)
        case {"field": str(field), "op": str(op), **rest} if rest.keys() <= {"value"}:
            return Comparison(field, _operator(op), _value_from(rest.get("value")))
        case _:
            raise InvalidOrder(
                "a criterion can't be read; write {field = …, op = …, value = …}, {filter = …}, {list = …},"
                " {all = […]}, {any = […]} or {not = …}."
            )


def _operator(name: str) -> Operator:
    if name not in list(Operator):
        raise InvalidOrder(f"there is no operator '{name}'; use one of {', '.join(Operator)}.")
    return Operator(name)


def _value_from(value: object) -> Plain | tuple[Plain, ...] | None:
    match value:
        case None:
            return None
        case list():
            return tuple(_plain_from(part) for part in value)
        case _:
            return _plain_from(value)


def _plain_from(value: object) -> Plain:
    if isinstance(value, datetime) or not isinstance(value, Plain | date):
        raise InvalidOrder("a criterion compares with something else than text, number, date or boolean; correct it.")
    return _plain(value)
