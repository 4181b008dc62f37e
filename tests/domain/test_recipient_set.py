"""Saved sets of recipients know how their records are structured, and only go with their like."""

import json

import pytest

from serienmail.domain.contact import BUILT_IN_FIELDS, FieldType
from serienmail.domain.errors import ImportFailed
from serienmail.domain.recipient_set import RecipientSet, Structure, together

CONTACTS = Structure("contact", {**BUILT_IN_FIELDS, "revenue": FieldType.NUMBER})
LEADS = Structure("lead", {**BUILT_IN_FIELDS, "budget": FieldType.NUMBER, "source": FieldType.TEXT})
FAIR = RecipientSet(CONTACTS, ("1", "2"))


def test_a_set_survives_json() -> None:
    assert RecipientSet.from_document(json.loads(json.dumps(FAIR.to_document()))) == FAIR


def test_sets_of_one_structure_are_loaded_together() -> None:
    assert together({"a.json": FAIR, "b.json": RecipientSet(CONTACTS, ("3",))}, CONTACTS) == ["1", "2", "3"]


def test_an_installation_may_know_more_fields_than_the_set() -> None:
    more = Structure("contact", {**CONTACTS.fields, "since": FieldType.DATE})
    assert together({"a.json": FAIR}, more) == ["1", "2"]


def test_differently_structured_sets_are_refused_together_and_both_structures_named() -> None:
    with pytest.raises(ImportFailed) as refused:
        together({"a.json": FAIR, "b.json": RecipientSet(LEADS, ("7",))}, CONTACTS)
    assert "a.json has contact with revenue (number)" in str(refused.value)
    assert "b.json has lead with budget (number), source (text)" in str(refused.value)


def test_a_set_with_fields_that_are_unknown_here_is_refused() -> None:
    with pytest.raises(ImportFailed, match=r"contact with revenue \(number\); here: contact with built-in fields only"):
        together({"a.json": FAIR}, Structure("contact", BUILT_IN_FIELDS))


@pytest.mark.parametrize(
    ("change", "gist"),
    [
        ({"format": "other"}, "no saved set"),
        ({"version": 2}, "version 2, this is for 1"),
        ({"keys": [1]}, "no record can have"),
        ({"keys": ["\ud800"]}, "no record can have"),
        ({"keys": ["\0"]}, "no record can have"),
        ({"keys": ["x" * 201]}, "no record can have"),
        ({"fields": {"x": "money"}}, "unknown type"),
        ({"keys": None}, "no saved set"),
    ],
)
def test_another_file_is_refused(change: dict[str, object], gist: str) -> None:
    with pytest.raises(ImportFailed, match=gist):
        RecipientSet.from_document({**FAIR.to_document(), **change})
