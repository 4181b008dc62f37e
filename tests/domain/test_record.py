"""Values of the hot path: as dataclasses are, but for what only the type checker enforces."""

import pytest

from serienmail.domain.record import record


@record
class Place:
    stage: int
    seq: int = 1


def test_records_are_equal_by_value_and_shown_with_their_fields() -> None:
    assert Place(0) == Place(0, 1) != Place(1)
    assert str(Place(2)).endswith("Place(stage=2, seq=1)")


def test_a_record_takes_no_field_that_it_doesn_t_have() -> None:
    with pytest.raises(AttributeError):
        setattr(Place(0), "sqe", 2)  # noqa: B010  # the type checker refuses the plain way
