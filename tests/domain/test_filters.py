"""Filters are named criteria; what they refer to is checked before a database is asked."""

import pytest

from serienmail.domain.comparing import MOST_PARTS
from serienmail.domain.contact import BUILT_IN_FIELDS
from serienmail.domain.criteria import AnyOf, Criterion, InFilter, InList, Not, from_document, to_document, where
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.filters import Filter, Vocabulary, check_filter, check_name, resolved

ULM = where("city").eq("Ulm")
WORDS = Vocabulary(
    BUILT_IN_FIELDS,
    filters={
        "ulm": Filter("ulm", ULM),
        "south": Filter("south", InFilter("ulm") | where("postcode").starts_with("8")),
        "leads": Filter("leads", ULM, "lead"),
        "stale": Filter("stale", where("plz").empty()),
    },
    lists={"fair": "contact", "calls": "lead", "fixed/1": "contact"},
)


def test_a_filter_stands_for_its_criterion_and_so_do_those_inside_it() -> None:
    asked = InFilter("south") & ~InList("fair")
    assert resolved(asked, WORDS) == (ULM | where("postcode").starts_with("8")) & ~InList("fair")


def test_filters_and_lists_survive_documents() -> None:
    asked = InFilter("south") & ~InList("fair")
    assert from_document(to_document(asked)) == asked


@pytest.mark.parametrize(
    ("asked", "gist"),
    [
        (InFilter("suoth"), "no filter 'suoth'; did you mean 'south'"),
        (InList("far"), "no work list 'far'; did you mean 'fair'"),
        (InList("nothing like it"), "use one of fair, calls"),
        (InFilter("leads"), "the filter 'leads' is of the module 'lead', the selection of 'contact'"),
        (InList("calls"), "the work list 'calls' is of the module 'lead'"),
        (InFilter("stale"), "no field 'plz'"),
    ],
)
def test_what_is_not_there_is_named_with_the_nearest(asked: Criterion, gist: str) -> None:
    with pytest.raises(InvalidOrder, match=gist):
        resolved(asked, WORDS)


def test_a_filter_that_would_refer_to_itself_cannot_be_saved() -> None:
    check_filter(Filter("ulm", ULM & InList("fair")), WORDS)
    with pytest.raises(InvalidOrder, match="'ulm' → 'south' → 'ulm'"):
        check_filter(Filter("ulm", ULM | InFilter("south")), WORDS)


def test_filters_that_would_grow_without_end_are_refused() -> None:
    nested = {f"f{n}": Filter(f"f{n}", InFilter(f"f{n + 1}") & ~InFilter(f"f{n + 1}")) for n in range(30)}
    with pytest.raises(InvalidOrder, match="'f0' nests more than 5"):
        resolved(InFilter("f0"), Vocabulary(BUILT_IN_FIELDS, filters=nested))


@pytest.mark.parametrize("name", ["", " fair", "fair/2026", "two\nlines", "x" * 101])
def test_a_name_is_one_short_line(name: str) -> None:
    check_name("Messe München 2026")
    with pytest.raises(InvalidOrder, match="can't be a name"):
        check_name(name)


def test_so_many_values_belong_on_a_list() -> None:
    with pytest.raises(InvalidOrder, match="make a work list"):
        resolved(where("key").in_(*map(str, range(10_001))), WORDS)


def test_criteria_that_no_database_takes_are_refused_in_words() -> None:
    wide = AnyOf(tuple(where("city").eq(str(number)) for number in range(MOST_PARTS)))
    with pytest.raises(InvalidOrder, match=r"have 501 parts, 500 at most .* use 'in', or a work list"):
        resolved(wide, WORDS)
    many = where("key").in_(*map(str, range(6_000)))
    with pytest.raises(InvalidOrder, match="12000 values"):
        resolved(many | ~many, WORDS)


def test_a_filter_that_could_not_be_read_again_is_not_saved() -> None:
    deep: Criterion = ULM
    for _ in range(10_000):  # deeper than Python's own recursion
        deep = Not(deep)
    with pytest.raises(InvalidOrder, match="more than 50 deep"):
        check_filter(Filter("deep", deep), WORDS)
