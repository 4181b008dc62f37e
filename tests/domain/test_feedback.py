"""What follows from a bounce, a complaint or a report."""

from typing import Any

import pytest

from serienmail.domain.delivery import MailRef
from serienmail.domain.feedback import Feedback, Happening, Severity, proves_hand_over, reason_to_suppress
from serienmail.domain.suppression import SuppressionReason
from tests.builders import NOON


def a_bounce(**changes: Any) -> Feedback:
    return Feedback(**{"id": "1", "kind": Happening.BOUNCED, "at": NOON, "mail": MailRef(1, 0, 1), **changes})


def test_a_hard_bounce_suppresses_at_once() -> None:
    assert reason_to_suppress(a_bounce(severity=Severity.HARD), 0, 3) is SuppressionReason.BOUNCED


@pytest.mark.parametrize(("mass_mails", "suppressed"), [(1, False), (2, False), (3, True), (4, True)])
def test_a_soft_bounce_suppresses_when_patience_ends(mass_mails: int, suppressed: bool) -> None:
    assert (reason_to_suppress(a_bounce(severity=Severity.SOFT), mass_mails, 3) is not None) is suppressed


def test_a_refused_mail_says_nothing_about_its_address() -> None:
    assert reason_to_suppress(a_bounce(severity=Severity.BLOCK), 9, 3) is None
    assert reason_to_suppress(a_bounce(severity=None), 9, 3) is None


def test_a_complaint_suppresses() -> None:
    assert reason_to_suppress(a_bounce(kind=Happening.COMPLAINED), 0, 3) is SuppressionReason.COMPLAINED


def test_delivery_deferral_and_replies_suppress_nobody() -> None:
    for kind in (Happening.DELIVERED, Happening.DEFERRED, Happening.REPLIED, Happening.OPENED, Happening.SUBSCRIBED):
        assert reason_to_suppress(a_bounce(kind=kind, severity=Severity.HARD), 9, 3) is None


def test_what_a_provider_calls_an_open_proves_nothing() -> None:
    assert not proves_hand_over(Happening.OPENED)
    assert not proves_hand_over(Happening.CLICKED)
    assert not proves_hand_over(Happening.UNKNOWN)
    assert proves_hand_over(Happening.BOUNCED)
    assert proves_hand_over(Happening.DELIVERED)
