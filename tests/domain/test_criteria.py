"""Criteria say who is meant, survive files, and are refused when they make no sense."""

import json
import tomllib
from datetime import date

import pytest

from serienmail.domain.contact import BUILT_IN_FIELDS, FieldType, Value
from serienmail.domain.criteria import AllOf, AnyOf, Criterion, Not, from_document, matches, to_document, where
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.filters import Vocabulary, resolved

FIELDS = {
    **BUILT_IN_FIELDS,
    "industry": FieldType.TEXT,
    "revenue": FieldType.NUMBER,
    "customer_since": FieldType.DATE,
    "vip": FieldType.BOOLEAN,
}
IDA: dict[str, Value] = {
    "city": "Überlingen",
    "company": "",
    "opt_in": True,
    "industry": "Handel",
    "revenue": 21486.81,
    "customer_since": date(2020, 2, 4),
    "vip": None,
}


@pytest.mark.parametrize(
    "criterion",
    [
        where("industry").eq("Handel"),
        where("industry").ne("Bau"),
        where("industry").in_("Bau", "Handel"),
        where("industry").contains("and"),
        where("industry").starts_with("Han"),
        where("revenue").gt(20_000) & where("revenue").le(21486.81),
        where("customer_since").ge(date(2020, 2, 4)) & where("customer_since").lt(date(2020, 12, 1)),
        where("opt_in").eq(True),
        where("company").empty(),
        where("industry").eq("Bau") | where("city").starts_with("Ü"),
        ~where("industry").empty(),
    ],
)
def test_a_criterion_applies(criterion: Criterion) -> None:
    resolved(criterion, Vocabulary(FIELDS))
    assert matches(criterion, IDA)
    assert not matches(~criterion, IDA)


@pytest.mark.parametrize("absent", ["company", "vip", "a_field_no_contact_has"])
def test_an_empty_field_fails_every_comparison_but_empty_and_ne(absent: str) -> None:
    field = where(absent)
    assert matches(field.empty(), IDA)
    assert matches(field.ne("x"), IDA)
    comparisons = (field.eq("x"), field.lt("x"), field.le("x"), field.gt("x"), field.ge("x"), field.in_("x"))
    assert not any(matches(c, IDA) for c in (*comparisons, field.contains("x"), field.starts_with("x")))


def test_case_matters_because_databases_disagree_about_it() -> None:
    assert not matches(where("industry").contains("HAND"), IDA)
    assert not matches(where("industry").starts_with("handel"), IDA)


def test_wildcards_have_no_meaning() -> None:
    assert not matches(where("industry").contains("H%l"), IDA)


def test_a_date_as_the_database_keeps_it_compares_like_a_date() -> None:
    assert matches(where("customer_since").gt(date(2019, 12, 31)), {"customer_since": "2020-02-04"})


def test_a_criterion_survives_json() -> None:
    criterion = (where("industry").in_("Bau", "Handel") | ~where("city").empty()) & where("customer_since").lt(
        date(2026, 1, 1)
    )
    assert from_document(json.loads(json.dumps(to_document(criterion)))) == criterion


def test_a_criterion_reads_as_one_writes_it_in_toml() -> None:
    order = tomllib.loads("""
        criterion = {all = [
            {field = "industry", op = "eq", value = "Handel"},
            {any = [{field = "customer_since", op = "lt", value = 2020-12-31}, {not = {field = "city", op = "empty"}}]},
        ]}
    """)
    assert from_document(order["criterion"]) == AllOf((
        where("industry").eq("Handel"),
        AnyOf((where("customer_since").lt(date(2020, 12, 31)), Not(where("city").empty()))),
    ))  # fmt: skip


@pytest.mark.parametrize(
    "document",
    [
        {},
        "city = Ulm",
        {"all": []},
        {"all": {"field": "city", "op": "empty"}},
        {"any": [{"field": "city", "op": "empty"}], "not": {"field": "city", "op": "empty"}},
        {"field": "city"},
        {"field": "city", "op": "is", "value": "Ulm"},
        {"field": "city", "op": "eq", "value": {"text": "Ulm"}},
        {"field": "city", "op": "in", "value": [["Ulm"]]},
        {"field": "city", "op": "eq", "value": "Ulm", "case": False},
    ],
)
def test_a_document_that_is_no_criterion_is_refused(document: object) -> None:
    with pytest.raises(InvalidOrder):
        from_document(document)


@pytest.mark.parametrize(
    ("criterion", "advice"),
    [
        (where("industri").eq("Handel"), "did you mean 'industry'"),
        (where("zzz").empty(), "use one of key"),
        (where("revenue").contains("1"), "use one of eq, ne, lt"),
        (where("opt_in").gt(False), "use one of eq, ne, empty"),
        (where("revenue").eq("1"), "a number"),
        (where("revenue").eq(True), "a number"),
        (where("revenue").lt(float("nan")), "a number"),
        (where("city").eq(1), "a text"),
        (where("city").eq(""), "'empty'"),
        (where("opt_in").eq("ja"), "true or false"),
        (where("customer_since").lt("31.12.2026"), "2026-12-31"),
        (where("customer_since").lt("20261231"), "2026-12-31"),
        (where("city").in_(), "a list of values"),
        (from_document({"field": "city", "op": "eq"}), "one value"),
        (from_document({"field": "city", "op": "eq", "value": ["Ulm"]}), "one value"),
        (from_document({"field": "city", "op": "empty", "value": True}), "takes no value"),
        (where("city").eq("Ulm") & (where("company").empty() | ~where("citty").empty()), "did you mean 'city'"),
    ],
)
def test_a_criterion_that_makes_no_sense_is_refused_with_what_to_do(criterion: Criterion, advice: str) -> None:
    with pytest.raises(InvalidOrder, match=advice):
        resolved(criterion, Vocabulary(FIELDS))


def test_criteria_nested_without_end_are_refused() -> None:
    document: object = {"field": "city", "op": "empty"}
    for _ in range(600):
        document = {"not": document}
    with pytest.raises(InvalidOrder, match="flatter"):
        from_document(document)
