"""What is known about a contact: its built-in fields, its free attributes, and the types of both."""

import re
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from serienmail.domain.errors import InvalidOrder

Value = str | int | float | bool | date | None

CONTACTS = "contact"
"""The module that records belong to if nothing else is said."""

LONGEST_NAME = 60
LONGEST_KEY = 200
"""Characters."""

LARGEST_NUMBER = 10**15 - 1
"""Numbers of up to 15 digits are the same in Python and in both databases."""


class FieldType(StrEnum):
    """What a field holds."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"


BUILT_IN_FIELDS: Mapping[str, FieldType] = MappingProxyType({
    "key": FieldType.TEXT,
    "salutation": FieldType.TEXT,
    "title": FieldType.TEXT,
    "first_name": FieldType.TEXT,
    "last_name": FieldType.TEXT,
    "company": FieldType.TEXT,
    "email": FieldType.TEXT,
    "postcode": FieldType.TEXT,
    "city": FieldType.TEXT,
    "language": FieldType.TEXT,
    "owner": FieldType.TEXT,
    "time_zone": FieldType.TEXT,
    "opt_in": FieldType.BOOLEAN,
    "tracking": FieldType.BOOLEAN,
})  # fmt: skip
"""The fields every contact has, by the name they bear in criteria and, as ``contact.<field>``, in templates."""

_UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, and halves of others
_TRANSCRIPTIONS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


def attribute_name(heading: str) -> str:
    """A heading as the name of a free attribute: "Kunde seit" becomes ``kunde_seit``; empty if nothing is left.

    A name starts with a letter, for the template sandbox refuses a leading underscore.
    """
    slug = re.sub(r"[^a-z0-9]+", "_", heading.lower().translate(_TRANSCRIPTIONS)).strip("_")
    return f"field_{slug}" if slug[:1].isdigit() else slug


def is_attribute_name(name: str) -> bool:
    """Whether a free attribute can bear this name: it is a slug, and no built-in field's."""
    return 0 < len(name) <= LONGEST_NAME and attribute_name(name) == name and name not in BUILT_IN_FIELDS


def check_module(name: str) -> None:
    """InvalidOrder unless a module can be called this."""
    if attribute_name(name) != name or not 0 < len(name) <= LONGEST_NAME:
        raise InvalidOrder(
            f"'{name[:LONGEST_NAME]}' can't be a module's name; use at most {LONGEST_NAME} small letters a-z, digits"
            " and _, such as 'lead'."
        )


def is_key(text: str) -> bool:
    """Whether this can be a record's key: an index takes it, and a terminal shows it."""
    return 0 < len(text) <= LONGEST_KEY and not _UNSHOWN.search(text)
