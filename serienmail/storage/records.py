"""What contact files of every kind have in common: headings, and rows of texts below them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from serienmail.domain.address import address_key
from serienmail.domain.errors import ImportFailed
from serienmail.storage.column_mapping import refuse_doubles


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that wasn't imported. line: where it begins, from 1; reason: for the terminal only."""

    line: int
    reason: str


class Records(Protocol):
    """A file's rows, which can be read as often as wanted.

    english_first: 1.234 is a bit more than one, should nothing in its column tell.
    """

    @property
    def headings(self) -> Sequence[str]:
        """What names the columns."""

    @property
    def english_first(self) -> bool:
        """See above."""

    def rows(self) -> Iterator[tuple[int, list[str]] | BadRow]:
        """The line, from 1, and the trimmed fields of each row; rows without any value are skipped."""


def check_headings(headings: Sequence[str]) -> None:
    """ImportFailed unless each column has a heading of its own."""
    if not headings or any(address_key(text) for text in headings):
        raise ImportFailed("the contact file's first line has no headings; add a line that names the columns.")
    if "" in headings:
        raise ImportFailed(f"column {headings.index('') + 1} of the contact file has no heading; give it one.")
    refuse_doubles("the contact file has the heading", headings)
