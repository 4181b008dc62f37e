"""A selection is referred to by a short id that follows from its content."""

import json

import pytest

from serienmail.domain.criteria import where
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.selection import Selection

ULM = Selection(where("city").eq("Ulm") & ~where("company").empty())


def test_a_selection_survives_json() -> None:
    assert Selection.from_document(json.loads(json.dumps(ULM.to_document()))) == ULM
    assert Selection.from_document(Selection().to_document()) == Selection()


def test_a_selection_without_criterion_is_everyone() -> None:
    assert Selection().id == "everyone"


def test_the_id_stays_the_same_across_versions_because_orders_hold_it() -> None:
    assert ULM.id == "ffd44b619220063a"


def test_different_selections_have_different_ids() -> None:
    assert ULM.id != Selection(where("city").eq("Bonn") & ~where("company").empty()).id


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(InvalidOrder, match="criterion"):
        Selection.from_document({"criteria": {}})
