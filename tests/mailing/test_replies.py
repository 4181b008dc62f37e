"""What follows from a mail server's answer."""

import pytest

from serienmail.mailing.replies import Phase, Reply, ReplyClass, classify


@pytest.mark.parametrize(
    ("phase", "code", "text", "expected"),
    [
        (Phase.DOT, 250, "2.0.0 queued", ReplyClass.ACCEPTED),
        (Phase.RCPT, 450, "4.2.0 greylisted", ReplyClass.DEFERRED),
        (Phase.MAIL, 421, "4.7.0 too fast", ReplyClass.DEFERRED),
        (Phase.RCPT, 550, "5.1.1 no such user", ReplyClass.REJECTED),
        (Phase.DOT, 554, "spam", ReplyClass.REJECTED),
        (Phase.AUTH, 535, "5.7.8 wrong password", ReplyClass.ACCOUNT),
        (Phase.MAIL, 530, "5.7.0 log in first", ReplyClass.ACCOUNT),
        (Phase.RCPT, 550, "5.1.8 bad sender domain", ReplyClass.ACCOUNT),
        (Phase.MAIL, 550, "sender unknown", ReplyClass.ACCOUNT),
        (Phase.MAIL, 553, "5.6.7 no such letters", ReplyClass.FAILED),
        (Phase.MAIL, 354, "", ReplyClass.DEFERRED),
    ],
)
def test_each_answer_has_its_class(phase: Phase, code: int, text: str, expected: ReplyClass) -> None:
    assert classify(Reply(phase, code, text)) is expected


def test_the_basic_code_wins_over_an_enhanced_code_that_contradicts_it() -> None:
    assert classify(Reply(Phase.RCPT, 450, "5.1.8 bad sender")) is ReplyClass.DEFERRED
