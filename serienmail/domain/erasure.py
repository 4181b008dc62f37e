"""Taking a person out of stored criteria."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from serienmail.domain.address import address_key

ERASED = "(erased)"
"""Stands where the person's address, key or name stood; no contact has it."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A text that a criterion compares a field with. operator: as in ``criteria.Operator``."""

    field: str
    operator: str
    text: str


@dataclass(frozen=True, slots=True)
class Traces:
    """What a person can be known by. addresses: their keys (``domain.address``); keys: the CRM's own.

    texts: what the person's records have in fields that can name somebody, by field.
    """

    addresses: Collection[str]
    keys: Collection[str]
    texts: Mapping[str, Collection[str]] = field(default_factory=dict)

    def identify(self, compared: Compared) -> bool:
        """Whether this is the person's address or key, which nobody else has."""
        if compared.field == "key":
            return compared.text in self.keys
        return compared.field == "email" and address_key(compared.text) in self.addresses

    def resemble(self, compared: Compared) -> bool:
        """Whether this is, or is a part of, what the person is called; others may be called the same."""
        text, own = compared.text.casefold(), [value.casefold() for value in self.texts.get(compared.field, ())]
        match compared.operator:
            case "contains":
                return any(text in value for value in own)
            case "starts_with":
                return any(value.startswith(text) for value in own)
            case _:
                return text in own


def compared_texts(document: Any) -> Iterator[Compared]:
    """Every text that a stored document (``criteria.to_document``, ``Selection.to_document``) compares with."""
    if isinstance(document, list):
        for part in document:
            yield from compared_texts(part)
    elif isinstance(document, dict) and "op" in document:
        value = document.get("value")
        texts = value if isinstance(value, list) else [value]
        yield from (Compared(document["field"], document["op"], text) for text in texts if isinstance(text, str))
    elif isinstance(document, dict):
        yield from compared_texts(list(document.values()))


def forgotten(document: Any, theirs: Collection[Compared]) -> Any:
    """The document without these texts."""
    if isinstance(document, list):
        return [forgotten(part, theirs) for part in document]
    if not isinstance(document, dict):
        return document
    if "op" not in document:
        return {name: forgotten(part, theirs) for name, part in document.items()}

    def kept(one: Any) -> Any:
        is_theirs = isinstance(one, str) and Compared(document["field"], document["op"], one) in theirs
        return ERASED if is_theirs else one

    if "value" not in document:
        return document
    value = document["value"]
    return {**document, "value": [kept(one) for one in value] if isinstance(value, list) else kept(value)}
