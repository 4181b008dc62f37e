"""Records that may be one person or company under two addresses: suggested to people, never acted upon."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from rapidfuzz import fuzz, process, utils

ALIKE = 90.0
"""Per cent; "Ida Weiß" and "Weis, Ida" have 94, "Ida Weiß" and "Ada Weiß" 89."""
LARGEST_BLOCK = 5_000
"""Records that are compared each with each; more of them would take minutes."""


@dataclass(frozen=True, slots=True)
class Person:
    """What two records are compared by. name: first name, last name and company."""

    key: str
    name: str
    postcode: str
    address_key: str | None


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two records' keys, and how alike their names are in per cent."""

    key: str
    other: str
    alike: int


def near_duplicates(people: Iterable[Person]) -> Iterator[NearDuplicate]:
    """Pairs with one postcode, much the same name and different addresses. people: ordered by their postcode.

    Who has no postcode or no name is compared with nobody; those with one address are duplicates anyway. Of more than
    LARGEST_BLOCK in one postcode only those are compared who share a word of their names.
    """
    for postcode, block in groupby(people, lambda person: person.postcode):
        named = [person for person in block if person.name.strip()]
        if postcode:
            yield from _in_block(named) if len(named) <= LARGEST_BLOCK else _by_word(named)


def _by_word(people: list[Person]) -> Iterator[NearDuplicate]:
    """A word that very many share, such as GmbH, says nothing: whoever is alike shares another one."""
    blocks = defaultdict[str, list[Person]](list)
    for person in people:
        for word in set(_compared(person).split()):
            blocks[word].append(person)
    found = set[tuple[str, str]]()
    for _, block in sorted(blocks.items()):
        for pair in _in_block(block) if len(block) <= LARGEST_BLOCK else ():
            if (pair.key, pair.other) not in found:
                found.add((pair.key, pair.other))
                yield pair


def _compared(person: Person) -> str:
    return utils.default_process(person.name.replace("ß", "ss"))


def _in_block(people: list[Person]) -> Iterator[NearDuplicate]:
    names = [_compared(person) for person in people]
    for index, person in enumerate(people):
        rest = names[index + 1 :]
        found = process.extract_iter(names[index], rest, scorer=fuzz.token_sort_ratio, score_cutoff=ALIKE)
        for _, alike, offset in found:
            other = people[index + 1 + offset]
            if person.address_key is None or person.address_key != other.address_key:
                yield NearDuplicate(person.key, other.key, round(alike))
