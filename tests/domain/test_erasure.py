"""Stored criteria forget a person, and nothing else."""

import pytest

from serienmail.domain.criteria import from_document, to_document, where
from serienmail.domain.erasure import ERASED, Compared, Traces, compared_texts, forgotten

ANNA = Traces(addresses={"anna@example.org"}, keys={"7"}, texts={"email": ["Anna@Example.org"], "last_name": ["Weiß"]})


def test_a_person_s_address_and_key_are_taken_out_of_criteria() -> None:
    chosen = where("key").in_("7", "8") | ~where("email").eq("Anna@Example.org") & where("city").eq("7")
    left = where("key").in_(ERASED, "8") | ~where("email").eq(ERASED) & where("city").eq("7")
    document = {"criterion": to_document(chosen), "module": "lead"}
    theirs = [compared for compared in compared_texts(document) if ANNA.identify(compared)]
    gone = forgotten(document, theirs)
    assert (from_document(gone["criterion"]), gone["module"]) == (left, "lead")


def test_criteria_that_do_not_name_the_person_stay_as_they_are() -> None:
    chosen = where("email").empty() & where("key").ne("9") & where("city").in_("Ulm") & where("revenue").ge(7)
    document = {"criterion": to_document(chosen)}
    assert not any(ANNA.identify(compared) or ANNA.resemble(compared) for compared in compared_texts(document))
    assert forgotten(document, []) == document
    assert forgotten({}, []) == {}


@pytest.mark.parametrize(
    ("compared", "resembles"),
    [
        (Compared("last_name", "eq", "weiß"), True),
        (Compared("last_name", "in", "Weiß"), True),
        (Compared("last_name", "contains", "eiß"), True),
        (Compared("last_name", "starts_with", "We"), True),
        (Compared("last_name", "starts_with", "eiß"), False),
        (Compared("last_name", "eq", "We"), False),
        (Compared("city", "eq", "Weiß"), False),
        (Compared("email", "contains", "anna@"), True),
    ],
)
def test_a_name_or_a_part_of_it_resembles_the_person(compared: Compared, resembles: bool) -> None:
    assert ANNA.resemble(compared) is resembles
