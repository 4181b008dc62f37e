"""What a program may answer by itself: the cases of RFC 3834, one after the other."""

from dataclasses import replace
from typing import Any

import pytest

from serienmail.domain.auto_answer import Incoming, Refusal, may_answer

ANNA = "anna@example.org"
OURS = ("office@example.com", "marketing@example.com")
PLAIN = Incoming(sender=ANNA, message_id="<1@example.org>")


def refusal(recipient: str = ANNA, **changes: Any) -> Refusal | None:
    """Why an answer of Anna's isn't answered that is plain but for these changes."""
    return may_answer(replace(PLAIN, **changes), recipient, OURS)


def test_what_its_recipient_wrote_by_hand_is_answered() -> None:
    assert refusal() is None
    assert refusal(sender="ANNA@Example.ORG") is None
    assert refusal(auto_submitted="no (really)") is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"from_nobody": True}, Refusal.BOUNCE),
        ({"auto_submitted": "auto-replied"}, Refusal.AUTOMATIC),
        ({"auto_submitted": "Auto-Generated; owner=x"}, Refusal.AUTOMATIC),
        ({"auto_submitted": "x-anything-new"}, Refusal.AUTOMATIC),
        ({"of_list": True}, Refusal.LIST),
        ({"precedence": "Bulk"}, Refusal.LIST),
        ({"precedence": "list"}, Refusal.LIST),
        ({"precedence": "junk"}, Refusal.LIST),
        ({"unwanted": True}, Refusal.UNWANTED),
        ({"message_id": ""}, Refusal.UNNAMED),
        ({"sender": "eve@example.org"}, Refusal.SOMEBODY_ELSE),
        ({"sender": ""}, Refusal.SOMEBODY_ELSE),
        ({"sender": "no address"}, Refusal.SOMEBODY_ELSE),
    ],
)
def test_bounces_programs_lists_and_others_get_no_answer(changes: dict[str, Any], expected: Refusal) -> None:
    assert refusal(**changes) is expected


@pytest.mark.parametrize(
    "local_part",
    ["MAILER-DAEMON", "postmaster", "no-reply", "noreply", "do-not-reply", "owner-list", "list-request", "list-owner"],
)
def test_addresses_of_programs_get_no_answer_though_they_are_recipients(local_part: str) -> None:
    assert refusal(f"{local_part}@example.org", sender=f"{local_part}@example.org") is Refusal.PROGRAM


@pytest.mark.parametrize("address", OURS)
def test_an_address_of_ours_gets_no_answer_so_that_we_never_talk_to_ourselves(address: str) -> None:
    assert refusal(address, sender=address.upper()) is Refusal.OURS


def test_a_recipient_whose_address_merely_resembles_a_program_s_is_answered() -> None:
    assert refusal("postmaster.meier@example.org", sender="postmaster.meier@example.org") is None
