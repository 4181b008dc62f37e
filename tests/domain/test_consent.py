"""Which answers a contact's fields tell."""

from serienmail.domain.consent import Purpose, changed_answers

NEITHER = {"opt_in": False, "tracking": False}
BOTH = {"opt_in": True, "tracking": True}


def test_a_new_contact_s_yes_is_an_answer_and_its_empty_field_is_none() -> None:
    assert list(changed_answers(None, NEITHER)) == []
    assert list(changed_answers(None, NEITHER | {"opt_in": True})) == [(Purpose.MASS_MAIL, True)]


def test_a_changed_field_is_an_answer_to_its_own_question_alone() -> None:
    assert list(changed_answers(BOTH, BOTH)) == []
    assert list(changed_answers(BOTH, BOTH | {"tracking": False})) == [(Purpose.TRACKING, False)]
    assert list(changed_answers(NEITHER, BOTH)) == [(Purpose.MASS_MAIL, True), (Purpose.TRACKING, True)]
