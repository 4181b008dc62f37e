"""How the texts of a column become values: numbers, dates, yes and no, as German and English exports write them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from serienmail.domain.contact import LARGEST_NUMBER, FieldType, Value


@dataclass(frozen=True, slots=True)
class Notation:
    """One way of writing values of a type. ``read`` raises ValueError for a text written in another way."""

    type: FieldType
    expected: str
    read: Callable[[str], Value]


# A leading zero makes a code, not a number: 00182 must stay what it is.
_GERMAN_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,2}(?:\.\d{3})+|[1-9]\d*)(?:,\d+)?", re.ASCII)
_ENGLISH_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d*)(?:\.\d+)?", re.ASCII)
_GERMAN_DATE = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_ISO_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_BOOLEANS = dict.fromkeys(("ja", "yes", "true", "wahr", "1", "x"), True) | dict.fromkeys(
    ("nein", "no", "false", "falsch", "0"), False
)


def _german_number(text: str) -> Value:
    if not _GERMAN_NUMBER.fullmatch(text):
        raise ValueError
    return _number(text.replace(".", "").replace(",", "."))


def _english_number(text: str) -> Value:
    if not _ENGLISH_NUMBER.fullmatch(text):
        raise ValueError
    return _number(text.replace(",", ""))


def _number(text: str) -> Value:
    number = float(text) if "." in text else int(text)
    if abs(number) > LARGEST_NUMBER:
        raise ValueError
    return number


def _date(text: str) -> Value:
    if found := _GERMAN_DATE.fullmatch(text):
        return date(int(found[3]), int(found[2]), int(found[1]))
    if found := _ISO_DATE.fullmatch(text):
        return date(int(found[1]), int(found[2]), int(found[3]))
    raise ValueError


def _boolean(text: str) -> Value:
    if (value := _BOOLEANS.get(text.casefold())) is None:
        raise ValueError
    return value


GERMAN_NUMBERS = Notation(FieldType.NUMBER, "a number such as 1.234,56", _german_number)
ENGLISH_NUMBERS = Notation(FieldType.NUMBER, "a number such as 1,234.56", _english_number)
DATES = Notation(FieldType.DATE, "a date such as 31.12.2026 or 2026-12-31", _date)
BOOLEANS = Notation(FieldType.BOOLEAN, "ja or nein, yes or no", _boolean)
TEXTS = Notation(FieldType.TEXT, "a text", str)


class NotationCensus:
    """Finds a column's notation by trying all that come into question on every one of its texts.

    english_first: read 1.234 as a bit more than one, should nothing in the column tell.
    """

    def __init__(self, type: FieldType | None, *, english_first: bool) -> None:
        numbers = (ENGLISH_NUMBERS, GERMAN_NUMBERS) if english_first else (GERMAN_NUMBERS, ENGLISH_NUMBERS)
        candidates = (*numbers, DATES, BOOLEANS, TEXTS)
        self._read = {notation: 0 for notation in candidates if type in (None, notation.type)}

    def add(self, text: str) -> None:
        """Count which notations can read this text."""
        for notation in self._read:
            try:
                notation.read(text)
            except ValueError:
                continue
            self._read[notation] += 1

    @property
    def winner(self) -> Notation:
        """The notation that reads most of the texts; any text is a text, so others win only by reading them all."""
        return max(self._read, key=lambda notation: self._read[notation])

    @property
    def is_empty(self) -> bool:
        """Whether nothing in the column could be read."""
        return not any(self._read.values())
