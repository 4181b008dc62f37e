"""What a mail asks of its recipient's data, in a form that a database can check for a million at once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Requirement:
    """A contact's field must be filled; or, if one_line, hold nothing that would end the line of a header.

    fault: what is said of those who don't meet it, as ``Loaded.missing`` has it.
    """

    field: str
    fault: str
    one_line: bool = False
