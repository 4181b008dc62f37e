"""Which answers a contact's fields tell, and how a request for one stands."""

from datetime import timedelta

import pytest

from serienmail.domain.consent import Asked, Purpose, Standing, changed_answers
from tests.builders import NOON

NEITHER = {"opt_in": False, "tracking": False}
BOTH = {"opt_in": True, "tracking": True}


def test_a_new_contact_s_yes_is_an_answer_and_its_empty_field_is_none() -> None:
    assert list(changed_answers(None, NEITHER)) == []
    assert list(changed_answers(None, NEITHER | {"opt_in": True})) == [(Purpose.MASS_MAIL, True)]


def test_a_changed_field_is_an_answer_to_its_own_question_alone() -> None:
    assert list(changed_answers(BOTH, BOTH)) == []
    assert list(changed_answers(BOTH, BOTH | {"tracking": False})) == [(Purpose.TRACKING, False)]
    assert list(changed_answers(NEITHER, BOTH)) == [(Purpose.MASS_MAIL, True), (Purpose.TRACKING, True)]


@pytest.mark.parametrize(("days", "confirmed", "standing"), [
    (6, False, Standing.OPEN), (7, False, Standing.EXPIRED),
    (6, True, Standing.CONFIRMED), (9, True, Standing.CONFIRMED),
])  # fmt: skip
def test_a_link_expires_unless_it_was_used_in_time(days: int, confirmed: bool, standing: Standing) -> None:
    asked = Asked(
        address="anna@example.org",
        purpose=Purpose.MASS_MAIL,
        expires_at=NOON + timedelta(days=7),
        confirmed_at=NOON if confirmed else None,
    )
    assert asked.standing(NOON + timedelta(days=days)) is standing
