"""Saved filters: criteria with a name, which may refer to other filters and to work lists."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from serienmail.domain.comparing import check_comparison, check_depth, check_size, nearest
from serienmail.domain.contact import CONTACTS, FieldType
from serienmail.domain.criteria import AllOf, AnyOf, Comparison, Criterion, InFilter, InList, Not
from serienmail.domain.errors import InvalidOrder

LONGEST_NAME = 100
MOST_NESTED = 5
"""Filters inside each other; more of them, each named twice, would make a question that no database takes."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A criterion on one module's records that people ask again and again; it is evaluated each time."""

    name: str
    criterion: Criterion
    module: str = CONTACTS


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a criterion on a module's records may name. lists: the module of each work list, by its name."""

    fields: Mapping[str, FieldType]
    module: str = CONTACTS
    filters: Mapping[str, Filter] = field(default_factory=dict)
    lists: Mapping[str, str] = field(default_factory=dict)


def check_name(name: str) -> None:
    """InvalidOrder unless a filter or a work list can be called this."""
    if not name.strip() or not name.isprintable() or name != name.strip() or "/" in name or len(name) > LONGEST_NAME:
        raise InvalidOrder(
            f"'{name[:LONGEST_NAME]}' can't be a name; use one line of at most {LONGEST_NAME} characters, without '/'."
        )


def resolved(criterion: Criterion, vocabulary: Vocabulary, inside: tuple[str, ...] = ()) -> Criterion:
    """The criterion with each filter's own in its place, every field, filter and list in it checked.

    inside: the filters that led here. InvalidOrder says what is unknown, of another type or module, or a cycle, or that
    it is too large.
    """
    check_depth(criterion)
    found = _resolved(criterion, vocabulary, inside)
    check_size(found)
    return found


def _resolved(criterion: Criterion, vocabulary: Vocabulary, inside: tuple[str, ...]) -> Criterion:
    match criterion:
        case Comparison():
            check_comparison(criterion, vocabulary.fields)
            return criterion
        case InList(name):
            if name not in vocabulary.lists:
                raise InvalidOrder(f"there is no work list '{name}'; {nearest(name, _shown(vocabulary.lists))}.")
            _check_module(f"the work list '{name}'", vocabulary.lists[name], vocabulary)
            return criterion
        case InFilter(name):
            return _of_filter(name, vocabulary, inside)
        case AllOf(of):
            return AllOf(tuple(_resolved(part, vocabulary, inside) for part in of))
        case AnyOf(of):
            return AnyOf(tuple(_resolved(part, vocabulary, inside) for part in of))
        case Not(of):
            return Not(_resolved(of, vocabulary, inside))
        case _:
            assert_never(criterion)


def check_filter(new: Filter, vocabulary: Vocabulary) -> None:
    """InvalidOrder unless this filter can be saved, also as a change to the one of its name."""
    check_name(new.name)
    words = replace(vocabulary, filters={**vocabulary.filters, new.name: new})
    resolved(new.criterion, words, (new.name,))


def _of_filter(name: str, vocabulary: Vocabulary, inside: tuple[str, ...]) -> Criterion:
    if name in inside:
        circle = "' → '".join([*inside[inside.index(name) :], name])
        raise InvalidOrder(f"the filters refer to each other in a circle, '{circle}'; take one reference out.")
    if len(inside) == MOST_NESTED:
        raise InvalidOrder(f"the filter '{inside[0]}' nests more than {MOST_NESTED} others; write it flatter.")
    if name not in vocabulary.filters:
        raise InvalidOrder(f"there is no filter '{name}'; {nearest(name, vocabulary.filters)}.")
    found = vocabulary.filters[name]
    _check_module(f"the filter '{name}'", found.module, vocabulary)
    return resolved(found.criterion, vocabulary, (*inside, name))


def _check_module(what: str, module: str, vocabulary: Vocabulary) -> None:
    if module != vocabulary.module:
        raise InvalidOrder(
            f"{what} is of the module '{module}', the selection of '{vocabulary.module}'; take one of one module."
        )


def _shown(lists: Mapping[str, str]) -> list[str]:
    """Lists that people named; others are fixed selections, whose names nobody needs to know."""
    return [name for name in lists if "/" not in name]
