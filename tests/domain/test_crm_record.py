"""What the CRM keeps of a mass mail is refused if it makes no sense, and has a subject of its own."""

from datetime import timedelta
from typing import Any

import pytest

from serienmail.domain.crm_record import CrmRecord, Extent, Reminder, check_crm_record, proposed_subject
from serienmail.domain.errors import InvalidOrder

MONTH = Reminder(after=timedelta(days=30))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"activities": Extent.EACH, "linked": "abc", "employees": ("anna", "b.mueller"), "reminder": MONTH},
        {"activities": Extent.ONE, "subject": "Autumn"},
        {"reminder": MONTH, "employees": ("anna",)},
    ],
)
def test_what_can_be_kept_is_accepted(fields: dict[str, Any]) -> None:
    check_crm_record(CrmRecord(**fields))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"linked": "abc"}, "say activities = one or each"),
        ({"linked": "abc", "reminder": MONTH}, "say activities = one or each"),
        ({"employees": ("anna",)}, "order one, or take them out"),
        ({"activities": Extent.ONE, "employees": ("anna,carla",)}, "without commas"),
        ({"activities": Extent.ONE, "employees": (" ",)}, "without commas"),
        ({"activities": Extent.ONE, "subject": "a\nb"}, "The CRM's entry needs a subject"),
        ({"reminder": Reminder(after=timedelta(days=-1))}, "A reminder must come at once or within"),
        ({"reminder": Reminder(after=timedelta(), subject="x" * 201)}, "A reminder needs a subject"),
    ],
)
def test_what_cannot_be_kept_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidOrder, match=says):
        check_crm_record(CrmRecord(**fields))


def test_what_is_kept_is_told_in_words() -> None:
    record = CrmRecord(activities=Extent.EACH, linked="abc", reminder=MONTH, subject="Autumn")
    assert record.words == (
        "an activity for each recipient, an activity for linked records, a reminder 30 days after the end (Autumn)"
    )
    one = CrmRecord(activities=Extent.ONE, subject="Autumn", employees=("anna", "carla"))
    assert one.words == "one activity for all (Autumn) for anna, carla"


@pytest.mark.parametrize(
    ("subject", "proposed"),
    [
        ("Our autumn offer", "Our autumn offer"),
        ("Autumn in {{ contact.city | default('you') }}", "Autumn in …"),
        ("{% if contact.company %}For {{ contact.company }}:{% endif %}  news", "For …: news"),
        ("{# draft #}News", "News"),
        ("{{ contact.city }}", "…"),
        ("", "…"),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_subject_is_proposed_from_the_mail_s_without_what_is_personal(subject: str, proposed: str) -> None:
    assert proposed_subject(subject) == proposed
