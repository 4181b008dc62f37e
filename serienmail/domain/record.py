"""Values that are made several times for each mail on its way out."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

Value = TypeVar("Value")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[Value]) -> type[Value]:
    """A dataclass that the type checker freezes, and nothing else.

    One that freezes itself takes three times as long to make: 2.4 µs instead of 0.75 for 13 fields.
    """
    return dataclass(slots=True)(cls)
