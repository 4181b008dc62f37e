"""vCard files, as address books write them; one card is read at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import vobject
from vobject.base import ParseError

from serienmail.domain.errors import ImportFailed
from serienmail.storage.csv_file import encoding_of
from serienmail.storage.records import BadRow

LARGEST_CARD = 2_000_000
"""Characters; pictures are the largest part of a card."""


@dataclass(frozen=True, slots=True)
class CardFile:
    """A vCard file whose encoding is known. A card's key is its UID, else its first mail address."""

    path: Path
    encoding: str
    english_first: bool = True
    headings: ClassVar[tuple[str, ...]] = (
        "key", "title", "first_name", "last_name", "company", "email", "postcode", "city", "language", "time_zone",
        "phone", "categories", "note", "email_2", "email_3",
    )  # fmt: skip

    @classmethod
    def open(cls, path: Path) -> "CardFile":
        """ImportFailed if the file can't be opened or holds no card."""
        try:
            file = cls(path, encoding_of(path))
        except OSError as error:
            raise ImportFailed(f"the contact file can't be opened ({error.strerror}); check its name.") from error
        if next(file._cards(), None) is None:
            raise ImportFailed("the contact file has no vCard; export the contacts again as vCard or CSV UTF-8.")
        return file

    def rows(self) -> Iterator[tuple[int, list[str]] | BadRow]:
        """The line where each card begins, and its fields."""
        for line, text in self._cards():
            try:
                fields = _fields(vobject.readOne(text))
            except (ParseError, ValueError, AttributeError, IndexError, UnicodeError):
                yield BadRow(line, "not readable, expected a vCard")
                continue
            if not fields["key"]:
                yield BadRow(line, "neither UID nor mail address, expected one of them in each card")
                continue
            yield line, [fields.get(heading, "") for heading in self.headings]

    def _cards(self) -> Iterator[tuple[int, str]]:
        begun, lines = 0, list[str]()
        with self.path.open(encoding=self.encoding) as file:
            for number, line in enumerate(file, start=1):
                word = line.strip().upper()
                if word == "BEGIN:VCARD":
                    if begun:
                        yield begun, "".join(lines)  # cut off: reported as one that can't be read
                    begun, lines, size = number, [], 0
                if begun:
                    size += len(line)
                    if size <= LARGEST_CARD:
                        lines.append(line)
                if word == "END:VCARD" and begun:
                    yield begun, "".join(lines)
                    begun = 0
        if begun:
            yield begun, "".join(lines)


def _fields(card: Any) -> dict[str, str]:
    """What a card says, by our fields; vobject keeps each property's lines under ``contents``."""
    found = {name: [line.value for line in lines] for name, lines in card.contents.items()}
    fields = {ours: _text(found[theirs][0]) for theirs, ours in _PLAIN.items() if found.get(theirs)}
    others = found.get("email", [])[1:3]
    fields |= {f"email_{number}": _text(address) for number, address in enumerate(others, start=2)}
    if found.get("n"):
        name = found["n"][0]
        parts = {"title": name.prefix, "first_name": name.given, "last_name": name.family}
        fields |= {ours: _text(part) for ours, part in parts.items()}
    elif found.get("fn"):
        fields["last_name"] = _text(found["fn"][0])
    if found.get("adr"):
        fields |= {"postcode": _text(found["adr"][0].code), "city": _text(found["adr"][0].city)}
    return fields | {"key": fields.get("uid") or fields.get("email", "")}


_PLAIN = {
    "uid": "uid", "org": "company", "email": "email", "lang": "language", "tz": "time_zone", "tel": "phone",
    "categories": "categories", "note": "note",
}  # fmt: skip


def _text(value: object) -> str:
    return " ".join(map(str, value)).strip() if isinstance(value, list) else str(value or "").strip()
