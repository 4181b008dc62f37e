"""Stored criteria forget a person, and nothing else."""

from serienmail.domain.criteria import from_document, to_document, where
from serienmail.domain.erasure import ERASED, forgotten


def test_a_person_s_address_and_key_are_taken_out_of_criteria() -> None:
    chosen = where("key").in_("7", "8") | ~where("email").eq("Anna@Example.org") & where("city").eq("7")
    left = where("key").in_(ERASED, "8") | ~where("email").eq(ERASED) & where("city").eq("7")
    document = {"criterion": to_document(chosen)}
    assert from_document(forgotten(document, "anna@example.org", {"7"})["criterion"]) == left


def test_criteria_that_do_not_name_the_person_stay_as_they_are() -> None:
    document = {"criterion": to_document(where("email").empty() & where("key").ne("9") & where("city").in_("Ulm"))}
    assert forgotten(document, "anna@example.org", {"7"}) == document
    assert forgotten({}, "anna@example.org", {"7"}) == {}
