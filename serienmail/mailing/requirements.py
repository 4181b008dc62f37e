"""What templates of text and placeholders ask of each contact: what rendering them for everybody would find."""

from collections.abc import Iterator, Sequence

from serienmail.domain.requirement import Requirement
from serienmail.mailing.message import is_one_line, line_fault
from serienmail.mailing.plain_part import PlainPart
from serienmail.mailing.template import CompiledTemplate

_DISPLAY_NAME = ("first_name", "last_name")


def requirements(templates: Sequence[CompiledTemplate]) -> tuple[Requirement, ...] | None:
    """In the order in which building the mails checks them: the first that isn't met is the recipient's fault.

    None if a template has conditions, filters or calculations: only rendering tells what it asks. A mail that grows
    too long isn't foreseen; it fails when it is built.
    """
    found = [Requirement(field, line_fault("To"), one_line=True) for field in _DISPLAY_NAME]
    for template in templates:
        subject, text, html = template.subject, template.text, template.html
        if not (isinstance(subject, PlainPart) and isinstance(text, PlainPart) and isinstance(html, PlainPart)):
            return None
        if not all(map(is_one_line, _own_words(subject))):
            return None
        found += _filled(subject)
        # A salutation is one line if the display name is: of other fields it takes nothing but known words.
        found += [Requirement(field, line_fault("Subject"), one_line=True) for field in _fields(subject)]
        found += [*_filled(text), *_filled(html)]
    return tuple(dict.fromkeys(found))


def _own_words(part: PlainPart) -> Iterator[str]:
    yield from part.literals
    yield from (hole.default for hole in part.holes if hole.default)


def _fields(part: PlainPart) -> list[str]:
    return [hole.field for hole in part.holes if hole.field]


def _filled(part: PlainPart) -> list[Requirement]:
    return [Requirement(hole.field, hole.name) for hole in part.holes if hole.field and hole.default is None]
