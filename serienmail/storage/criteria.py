"""A criterion as a condition in SQL, with the answer that ``criteria.matches`` gives, on both databases."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, assert_never

from sqlalchemy import ColumnElement, Select, Text, and_, false, func, not_, or_, select, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from serienmail.domain.contact import BUILT_IN_FIELDS, FieldType
from serienmail.domain.criteria import AllOf, AnyOf, Comparison, Criterion, InFilter, InList, Not, Operator
from serienmail.domain.filters import Vocabulary, resolved
from serienmail.storage.selection_tables import work_list_member
from serienmail.storage.tables import contact


class _by_code_points(FunctionElement[str]):
    """A text that compares by code points: SQLite's texts do, PostgreSQL's follow the database's language."""

    type = Text()
    inherit_cache = True


@compiles(_by_code_points)
def _as_it_is(element: _by_code_points, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_by_code_points, "postgresql")
def _collated(element: _by_code_points, compiler: SQLCompiler, **options: Any) -> str:
    return f'(({compiler.process(element.clauses, **options)}) COLLATE "C")'


def condition(criterion: Criterion | None, vocabulary: Vocabulary) -> ColumnElement[bool]:
    """The module's records to which the criterion applies, over ``tables.contact``; without one, all of them.

    It is never NULL, so that NOT means what it says. InvalidOrder if the criterion can't be ``resolved``.
    """
    of_module: ColumnElement[bool] = contact.c.module == vocabulary.module
    if criterion is None:
        return of_module
    return and_(of_module, _translated(resolved(criterion, vocabulary), vocabulary.fields))


def keys_on(name: str) -> Select[str]:
    """The keys on a work list."""
    return select(work_list_member.c.key).where(work_list_member.c.list == name)


def _translated(criterion: Criterion, fields: Mapping[str, FieldType]) -> ColumnElement[bool]:
    match criterion:
        case Comparison():
            return _comparison(criterion, fields[criterion.field])
        case InList(name):
            on_it: ColumnElement[bool] = contact.c.key.in_(keys_on(name))
            return on_it
        case InFilter(name):
            raise ValueError(f"the filter '{name}' isn't resolved")
        case AllOf(of):
            return and_(true(), *(_translated(part, fields) for part in of))
        case AnyOf(of):
            return or_(false(), *(_translated(part, fields) for part in of))
        case Not(of):
            return not_(_translated(of, fields))
        case _:
            assert_never(criterion)


def _comparison(comparison: Comparison, kind: FieldType) -> ColumnElement[bool]:
    column = _column(comparison.field, kind)
    filled: ColumnElement[bool] = column.is_not(None)
    if kind is FieldType.TEXT:
        filled = and_(filled, column != "")
    if comparison.operator is Operator.EMPTY:
        return not_(filled)
    applies = _TESTS[comparison.operator](column, _parameter(comparison.value, kind))
    if comparison.operator is Operator.NE:
        return or_(not_(filled), applies)
    return and_(filled, applies)  # of an empty field: FALSE AND NULL, which is FALSE


def _parameter(value: Any, kind: FieldType) -> Any:
    """Numbers as floats, which hold all 15 digits: PostgreSQL would take an int for one of 32 bits."""
    if kind is not FieldType.NUMBER:
        return value
    return [float(one) for one in value] if isinstance(value, tuple) else float(value)


def _column(field: str, kind: FieldType) -> ColumnElement[Any]:
    if field in BUILT_IN_FIELDS:
        column: ColumnElement[Any] = contact.c[field]
    else:
        column = _ATTRIBUTES[kind](contact.c.attributes[field])
    return _by_code_points(column) if kind in (FieldType.TEXT, FieldType.DATE) else column


_ATTRIBUTES: Mapping[FieldType, Callable[[Any], ColumnElement[Any]]] = {
    FieldType.TEXT: lambda value: value.as_string(),
    FieldType.NUMBER: lambda value: value.as_float(),
    FieldType.DATE: lambda value: value.as_string(),
    FieldType.BOOLEAN: lambda value: value.as_boolean(),
}


# LIKE would have wildcards, and ignore case on SQLite; replace and substr do neither, and both databases have them.
_TESTS: Mapping[Operator, Callable[[Any, Any], ColumnElement[bool]]] = {
    Operator.EQ: operator.eq,
    Operator.NE: operator.ne,
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
    Operator.GT: operator.gt,
    Operator.GE: operator.ge,
    Operator.IN: lambda column, values: column.in_(values),
    Operator.CONTAINS: lambda column, part: func.replace(column, part, "") != column,
    Operator.STARTS_WITH: lambda column, start: func.substr(column, 1, len(start)) == start,
}
