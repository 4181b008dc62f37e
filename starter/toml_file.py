"""TOML files that people write: read key by key, and whatever is wrong is named by its key."""

import tomllib
from collections.abc import Collection, Mapping
from datetime import date, datetime
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from serienmail.domain.criteria import Criterion, from_document
from serienmail.domain.errors import InvalidOrder

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class Table:
    """A TOML table. Each reader gives None for a key that isn't there, InvalidOrder for a value of another kind."""

    def __init__(self, content: Mapping[str, Any], known: Collection[str], where: str = "") -> None:
        """where: what stands before a key in refusals. InvalidOrder, with the nearest, for a key that isn't known."""
        self._content = content
        self._where = where
        for key in content:
            if key not in known:
                nearest = get_close_matches(key, known, n=1)
                advice = f"did you mean '{nearest[0]}'?" if nearest else f"use one of {', '.join(known)}."
                raise InvalidOrder(f"There is no key '{where}{key}'; {advice}")

    def text(self, key: str) -> str | None:
        """A text that isn't empty."""
        value = self._value(key, str, "a text in quotes")
        if value is not None and not value.strip():
            raise InvalidOrder(f"'{self._where}{key}' is empty; write something, or take it out.")
        return value

    def flag(self, key: str) -> bool | None:
        """True or false."""
        return self._value(key, bool, "true or false")

    def number(self, key: str) -> int | None:
        """A whole number."""
        return self._value(key, int, "a whole number")

    def moment(self, key: str) -> datetime | None:
        """A date and time with its offset."""
        value = self._value(key, datetime, "a date and time such as 2026-12-01T09:00:00+01:00, without quotes")
        return value and aware(value)

    def choice(self, key: str, kind: type[E]) -> E | None:
        """One of a few words."""
        value = self.text(key)
        if value is not None and value not in list(kind):
            raise InvalidOrder(f"'{self._where}{key}' can't be '{value}'; choose one of {', '.join(kind)}.")
        return None if value is None else kind(value)

    def texts(self, key: str) -> list[str] | None:
        """A list of texts."""
        values = self._value(key, list, "a list of texts in quotes")
        if values is not None and not all(isinstance(value, str) and value.strip() for value in values):
            raise InvalidOrder(f"'{self._where}{key}' must be a list of texts in quotes; correct it.")
        return values

    def pairs(self, key: str) -> dict[str, str] | None:
        """Texts by their names."""
        values = self._value(key, dict, "a table of texts such as {logo = \"logo.png\"}")
        if values is not None and not all(isinstance(value, str) and value.strip() for value in values.values()):
            raise InvalidOrder(f"'{self._where}{key}' must be a table of texts; correct it.")
        return values

    def values(self, key: str) -> dict[str, str | int | float | bool] | None:
        """Texts, numbers, dates (as texts, as ISO 8601 writes them), true and false, by their names."""
        values = self._value(key, dict, "a table of values such as {interest = \"wine\", vip = true}")
        if values is None:
            return None
        plain = {name: value.isoformat() if type(value) is date else value for name, value in values.items()}
        if not all(isinstance(value, str | int | float | bool) for value in plain.values()):
            raise InvalidOrder(f"'{self._where}{key}' must be texts, numbers, dates, true or false; correct it.")
        return plain

    def criterion(self, key: str) -> Criterion | None:
        """Which contacts, as ``criteria.from_document`` reads it."""
        if key not in self._content:
            return None
        try:
            return from_document(self._content[key])
        except InvalidOrder as error:
            raise InvalidOrder(f"'{self._where}{key}': {error}") from None

    def table(self, key: str, known: Collection[str]) -> "Table | None":
        """The one written as ``[key]``."""
        found = self._value(key, dict, f"a table; write it under [{key}]")
        return None if found is None else Table(found, known, f"{self._where}{key}: ")

    def tables(self, key: str, known: Collection[str], name: str) -> list["Table"]:
        """Those written as ``[[key]]``; refusals call them by this name and their number."""
        found = self._content.get(key, [])
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            raise InvalidOrder(f"'{self._where}{key}' must be tables; write each under [[{key}]].")
        return [Table(entry, known, f"{self._where}{name} {number}: ") for number, entry in enumerate(found, start=1)]

    def _value(self, key: str, kind: type[T], expected: str) -> T | None:
        value = self._content.get(key)
        if value is None:
            return None
        if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):  # a bool is an int, too
            raise InvalidOrder(f"'{self._where}{key}' must be {expected}; correct it.")
        return value


def read_toml(path: Path) -> dict[str, Any]:
    """The file's content; InvalidOrder if it can't be opened or isn't TOML."""
    return toml_of(read_text(path), f"The file {path}")


def read_text(path: Path) -> str:
    """The file's text; InvalidOrder if it can't be opened or is none."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise InvalidOrder(f"The file {path} can't be opened ({error.strerror}); check its name.") from None
    except ValueError as error:  # of UTF-8
        raise InvalidOrder(f"The file {path} is no TOML; correct it: {error}.") from None


def toml_of(text: str, name: str = "This") -> dict[str, Any]:
    """What it says; InvalidOrder if it isn't TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidOrder(f"{name} is no TOML; correct it: {error}.") from None


def read_criterion(text: str) -> Criterion:
    """A criterion as it stands in an order file: ``{field = "city", op = "eq", value = "Ulm"}``."""
    try:
        return from_document(tomllib.loads(f"criterion = {text}")["criterion"])
    except tomllib.TOMLDecodeError:
        raise InvalidOrder(
            "The criterion can't be read; write it as in an order: '{field = \"city\", op = \"eq\", value = \"Ulm\"}'."
        ) from None


def read_moment(text: str) -> datetime:
    """A date and time in ISO 8601; InvalidOrder if it is none, or has no offset."""
    try:
        return aware(datetime.fromisoformat(text))
    except ValueError:
        raise InvalidOrder(f"'{text}' is no date and time; write it as 2026-12-01T09:00+01:00.") from None


def aware(moment: datetime) -> datetime:
    """The same moment; InvalidOrder if it has no offset."""
    if moment.tzinfo is None:
        raise InvalidOrder(f"{moment:%Y-%m-%d %H:%M} has no time zone; add one, e.g. {moment:%Y-%m-%dT%H:%M}+01:00.")
    return moment
