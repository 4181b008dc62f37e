"""How far a mailbox has been read, and whether answers come to one."""

import pytest

from serienmail.domain.errors import InvalidOrder
from serienmail.domain.mailbox import Position, check_answers_are_read


def test_a_mailbox_that_is_numbered_anew_is_read_from_the_beginning() -> None:
    assert Position(1, 7).in_mailbox(1) == Position(1, 7)
    assert Position(1, 7).in_mailbox(2) == Position(2, 0)


def test_answers_to_a_mailbox_that_is_read_are_fine() -> None:
    check_answers_are_read("Office@Example.com", ["bounce@example.com", "office@example.com"])


@pytest.mark.parametrize("answers_to", [None, "anna@example.com"])
def test_answers_that_nobody_reads_are_refused(answers_to: str | None) -> None:
    with pytest.raises(InvalidOrder, match="Reply-To"):
        check_answers_are_read(answers_to, ["office@example.com"])
