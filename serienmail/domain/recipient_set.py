"""A set of recipients as it is saved to a file: which records, and how these are structured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serienmail.domain.contact import BUILT_IN_FIELDS, FieldType, is_key
from serienmail.domain.errors import ImportFailed

FORMAT = "serienmail-recipients"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Structure:
    """What a module's records consist of."""

    module: str
    fields: Mapping[str, FieldType]

    @property
    def words(self) -> str:
        """The module and the fields that not every record has: "lead with budget (number), source (text)"."""
        own = [f"{name} ({kind})" for name, kind in sorted(self.fields.items()) if name not in BUILT_IN_FIELDS]
        return f"{self.module} with {', '.join(own) or 'built-in fields only'}"

    def has(self, other: "Structure") -> bool:
        """Whether records of the other structure can be among these: of the same module, without a field more."""
        return self.module == other.module and other.fields.items() <= self.fields.items()


@dataclass(frozen=True, slots=True)
class RecipientSet:
    """The keys of some records of one structure."""

    structure: Structure
    keys: tuple[str, ...]

    def to_document(self) -> dict[str, Any]:
        """As it stands in a JSON file."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "module": self.structure.module,
            "fields": {name: kind.value for name, kind in sorted(self.structure.fields.items())},
            "keys": list(self.keys),
        }

    @classmethod
    def from_document(cls, document: object) -> "RecipientSet":
        """Read what ``to_document`` writes; ImportFailed if it is something else."""
        match document:
            case {"format": "serienmail-recipients", "version": int(version)} if version != VERSION:
                raise ImportFailed(f"the file has version {version}, this is for {VERSION}; save the set again.")
            case {"format": "serienmail-recipients", "module": str(module), "fields": dict(fields), "keys": list(keys)}:
                if not all(kind in list(FieldType) for kind in fields.values()):
                    raise ImportFailed("the file has a field of an unknown type; save the set again.")
                if not all(isinstance(key, str) and is_key(key) for key in keys):
                    raise ImportFailed("the file has a key that no record can have; save the set again.")
                types = {str(name): FieldType(kind) for name, kind in fields.items()}
                return cls(Structure(module, types), tuple(keys))
            case _:
                raise ImportFailed("the file is no saved set of recipients; save one with 'serienmail lists save'.")


def together(sets: Mapping[str, RecipientSet], known: Structure) -> Sequence[str]:
    """The keys of several sets, by their files' names; ImportFailed, naming two structures, if they don't go together.

    known: what the installation's records of the first set's module consist of.
    """
    (first, of_first), *_ = sets.items()
    for name, found in sets.items():
        if found.structure != of_first.structure:
            raise ImportFailed(
                f"the sets are structured differently and can't be loaded together: {first} has"
                f" {of_first.structure.words}; {name} has {found.structure.words}."
            )
    if not known.has(of_first.structure):
        raise ImportFailed(
            f"the records of {first} are structured differently from those here: {of_first.structure.words};"
            f" here: {known.words}; import these fields first."
        )
    return [key for found in sets.values() for key in found.keys]
