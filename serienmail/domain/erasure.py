"""Taking a person out of stored criteria."""

from collections.abc import Collection
from typing import Any

from serienmail.domain.address import address_key

ERASED = "(erased)"
"""Stands where the person's address or key stood; no contact has it."""


def forgotten(document: Any, address: str, contact_keys: Collection[str]) -> Any:
    """A selection's document (``Selection.to_document``) that no longer names a person.

    address: its key (``domain.address``). contact_keys: the CRM's numbers of the person.
    """
    if isinstance(document, list):
        return [forgotten(part, address, contact_keys) for part in document]
    if not isinstance(document, dict):
        return document
    names_people = {"email": lambda text: address_key(text) == address, "key": lambda text: text in contact_keys}
    is_theirs = names_people.get(document.get("field", ""))
    if is_theirs is None:
        return {name: forgotten(part, address, contact_keys) for name, part in document.items()}
    value = document.get("value")
    if isinstance(value, list):
        return {**document, "value": [ERASED if is_theirs(str(one)) else one for one in value]}
    return {**document, "value": ERASED} if value is not None and is_theirs(str(value)) else document
