"""Requirements of a mail as conditions in SQL, on both databases."""

from collections import Counter
from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, case, false, func, literal, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from serienmail.domain.contact import BUILT_IN_FIELDS, FieldType
from serienmail.domain.requirement import Requirement
from serienmail.storage.tables import contact

_LINE_ENDS = "\x01-\x1f\x7f\x85\u2028\u2029"  # as mailing.message has them; only SQLite can store NUL


class _breaks_its_line(FunctionElement[bool]):
    """Whether a text holds something that ends a header's line."""

    inherit_cache = True


@compiles(_breaks_its_line, "sqlite")
def _by_glob(element: _breaks_its_line, compiler: SQLCompiler, **options: object) -> str:
    (text,) = element.clauses
    return compiler.process(or_(text.op("GLOB")(f"*[{_LINE_ENDS}]*"), func.instr(text, func.char(0)) > 0), **options)


@compiles(_breaks_its_line, "postgresql")
def _by_regex(element: _breaks_its_line, compiler: SQLCompiler, **options: object) -> str:
    (text,) = element.clauses
    return compiler.process(text.op("~")(f"[{_LINE_ENDS}]"), **options)


def faults(requirements: Sequence[Requirement]) -> ColumnElement[str]:
    """What is wrong with a row of ``tables.contact``: a line for each empty field and for the first broken header."""
    broken = [(_is_not_met(one), _line(one)) for one in requirements if one.one_line]
    lines: ColumnElement[str] = case(*broken, else_=literal("")) if broken else literal("")
    for one in requirements:
        if not one.one_line:
            lines = lines + case((_is_not_met(one), _line(one)), else_=literal(""))
    return lines


def counted(people: Iterable[tuple[str, int]]) -> dict[str, int]:
    """How many people have each fault. people: the lines of ``faults``, and for how many they are the same."""
    found = Counter[str]()
    for lines, number in people:
        found.update(dict.fromkeys(lines.splitlines(), number))
    return dict(found)


def is_faulty(requirements: Sequence[Requirement]) -> ColumnElement[bool]:
    """Whether anything is."""
    return or_(false(), *map(_is_not_met, requirements))


def _line(requirement: Requirement) -> ColumnElement[str]:
    return literal(f"{requirement.fault}\n")


def _is_not_met(requirement: Requirement) -> ColumnElement[bool]:
    if BUILT_IN_FIELDS.get(requirement.field) is FieldType.BOOLEAN:
        return false()  # a value, and a word
    text = _text(requirement.field)
    if requirement.one_line:
        return func.coalesce(_breaks_its_line(text), false())
    return or_(text.is_(None), text == "")


def _text(field: str) -> ColumnElement[str]:
    text: ColumnElement[str] = contact.c[field] if field in BUILT_IN_FIELDS else contact.c.attributes[field].as_string()
    return text
