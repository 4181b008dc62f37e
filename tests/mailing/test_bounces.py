"""What servers and people send back is understood, and nothing anybody sends takes long or raises."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from serienmail.domain.feedback import Happening, Severity
from serienmail.mailing.bounces import feedback, read_report, severity_of
from serienmail.mailing.links import LinkKind, Links, MailRef
from tests.builders import NOON

LINKS = Links("https://mail.example.com", b"k" * 32)
REF, OTHER = MailRef(7, 1, 42), MailRef(7, 1, 43)
VERP = LINKS.bounce_address(REF, "bounce.example.com")
MESSAGE_ID = LINKS.message_id(REF, "example.com")
ENVELOPE_ID = MESSAGE_ID[1:].partition("@")[0]


def a_report(
    *fields: str, kind: str = "delivery-status", returned: str = f"Message-ID: {MESSAGE_ID}", own: str = ""
) -> bytes:
    """A multipart/report (RFC 6522) with these fields in its second part."""
    lines = [
        "From: MAILER-DAEMON@mx.example.org", "To: somebody@example.com", "Message-ID: <1@mx.example.org>", "",
        "--limit", "Content-Type: text/plain", "", "Sorry.", "",
        "--limit", f"Content-Type: message/{kind}", "", *fields, "",
        "--limit", "Content-Type: text/rfc822-headers", "", "Subject: Herbst", returned, "", "--limit--", "",
    ]  # fmt: skip
    head = f'Content-Type: multipart/report; report-type={kind}; boundary="limit"\r\nMIME-Version: 1.0\r\n'
    return (head + own + "\r\n".join(lines)).encode()


def a_bounce(action: str = "failed", status: str = "5.1.1", diagnostic: str = "550 5.1.1 none", **more: Any) -> bytes:
    fields = ["Reporting-MTA: dns; mx.example.org", f"Original-Envelope-Id: {more.pop('envid', '')}", ""]
    fields += ["Final-Recipient: rfc822; anna@example.org", f"Action: {action}", f"Status: {status}"]
    return a_report(*fields, f"Diagnostic-Code: smtp; {diagnostic}", **more)


def a_mail(*headers: str, body: str = "Danke!") -> bytes:
    return "\r\n".join([*headers, "", body]).encode()


@pytest.mark.parametrize(
    ("action", "status", "kind", "severity"),
    [
        ("failed", "5.1.1", Happening.BOUNCED, Severity.HARD),
        ("FAILED", "5.2.2", Happening.BOUNCED, Severity.SOFT),
        ("failed", "4.4.7", Happening.BOUNCED, Severity.SOFT),
        ("failed", "5.7.1", Happening.BOUNCED, Severity.BLOCK),
        ("delayed", "4.4.1", Happening.DEFERRED, None),
        ("delivered", "2.0.0", Happening.DELIVERED, None),
        ("relayed", "2.0.0", Happening.SENT, None),
    ],
)
def test_a_status_notification_says_what_happened(
    action: str, status: str, kind: Happening, severity: Severity | None
) -> None:
    report = read_report(a_bounce(action, status, diagnostic=""))
    assert (report.kind, report.severity) == (kind, severity)


@pytest.mark.parametrize(
    ("status", "diagnostic", "severity"),
    [
        ("5.0.0", "550 5.1.1 <anna@example.org>: User unknown", Severity.HARD),
        ("5.0.0", "550 no mailbox here by that name", Severity.HARD),
        ("5.1.10", "", Severity.HARD),
        ("5.0.0", "", Severity.BLOCK),
        ("5.0.0", "550 go away", Severity.BLOCK),
        ("5.7.1", "550 5.7.1 blocked using a list", Severity.BLOCK),
        ("5.2.2", "552 5.2.2 over quota", Severity.SOFT),
        ("4.4.7", "message expired", Severity.SOFT),
        ("", "", Severity.BLOCK),
    ],
)
def test_only_words_about_the_mailbox_make_a_bounce_hard(status: str, diagnostic: str, severity: Severity) -> None:
    assert severity_of(status, diagnostic) is severity


def test_status_notifications_in_utf_8_are_read() -> None:
    fields = ["Reporting-MTA: dns; mx.example.org", "", "Final-Recipient: utf-8; jörg@müller.example"]
    fields += ["Action: failed", "Status: 5.1.1", "Diagnostic-Code: smtp; 550 5.1.1 jörg unbekannt"]
    report = read_report(a_report(*fields, kind="global-delivery-status"))
    assert (report.kind, report.severity) == (Happening.BOUNCED, Severity.HARD)


@pytest.mark.parametrize("type_", ["abuse", "Fraud", "virus"])
def test_a_feedback_report_is_a_complaint(type_: str) -> None:
    fields = [f"Feedback-Type: {type_}", "User-Agent: Loop/1.0", "Version: 1", f"Original-Mail-From: <{VERP}>"]
    news = feedback(a_report(*fields, kind="feedback-report", returned=""), [], None, LINKS, NOON)
    assert (news.kind, news.mail) == (Happening.COMPLAINED, REF)


@pytest.mark.parametrize("type_", ["not-spam", "auth-failure", "other", ""])
def test_reports_of_another_type_are_no_complaint(type_: str) -> None:
    assert read_report(a_report(f"Feedback-Type: {type_}", kind="feedback-report")).kind is Happening.UNKNOWN


def test_the_envelope_counts_before_what_is_returned() -> None:
    returned = f"Message-ID: {LINKS.message_id(OTHER, 'example.com')}"
    assert feedback(a_bounce(returned=returned), [VERP], "", LINKS, NOON).mail == REF
    assert feedback(a_bounce(returned=returned, envid=ENVELOPE_ID), [], "", LINKS, NOON).mail == REF
    assert feedback(a_bounce(returned=returned), [], "", LINKS, NOON).mail == OTHER


def test_a_bounce_in_a_mailbox_is_matched_by_the_header_that_has_the_envelope() -> None:
    assert feedback(a_bounce(returned="", own=f"Delivered-To: {VERP}\r\n"), [], None, LINKS, NOON).mail == REF


def test_a_forged_bounce_is_about_nobody() -> None:
    forged = "b+b" + "A" * 35 + "@bounce.example.com"
    news = feedback(a_bounce(returned="Message-ID: <m" + "A" * 35 + "@example.com>"), [forged], "", LINKS, NOON)
    assert (news.kind, news.mail) == (Happening.BOUNCED, None)
    foreign = Links("https://mail.example.com", b"x" * 32)
    assert feedback(a_bounce(returned=""), [foreign.bounce_address(REF, "b.example")], "", LINKS, NOON).mail is None


def test_servers_with_a_format_of_their_own_are_understood() -> None:
    qmail = (
        "Hi. This is the qmail-send program at mx.example.org.\r\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\r\n\r\n"
        "<anna@example.org>:\r\n550 5.1.1 sorry, no mailbox here by that name.\r\n\r\n"
        f"--- Below this line is a copy of the message.\r\n\r\nMessage-ID: {MESSAGE_ID}\r\n"
    )
    news = feedback(a_mail("From: MAILER-DAEMON@mx.example.org", "To: x@example.com", body=qmail), [], "", LINKS, NOON)
    assert (news.kind, news.severity, news.mail) == (Happening.BOUNCED, Severity.HARD, REF)


@pytest.mark.parametrize(
    "header", ["Auto-Submitted: auto-replied", "X-Autoreply: yes", "Precedence: auto_reply", "Precedence: bulk"]
)
def test_a_holiday_note_is_no_reply(header: str) -> None:
    mail = a_mail("From: anna@example.org", f"In-Reply-To: {MESSAGE_ID}", header)
    news = feedback(mail, [], "anna@example.org", LINKS, NOON)
    assert (news.kind, news.mail) == (Happening.AUTORESPONDED, REF)


def test_a_persons_answer_is_a_reply_to_the_mail_it_names() -> None:
    mail = a_mail("From: anna@example.org", f"In-Reply-To: {MESSAGE_ID}", "Auto-Submitted: no")
    news = feedback(mail, ["office@example.com"], "anna@example.org", LINKS, NOON)
    assert (news.kind, news.mail) == (Happening.REPLIED, REF)


def test_the_same_mail_on_two_ways_is_one_event() -> None:
    there, here = a_bounce(own="Received: from x\r\n"), a_bounce(own="Received: from y by z\r\n")
    assert feedback(there, [VERP], "", LINKS, NOON).id == feedback(here, [VERP], None, LINKS, NOON).id
    another = a_bounce(own="Received: from x\r\n").replace(b"<1@mx", b"<2@mx")
    assert feedback(there, [VERP], "", LINKS, NOON).id != feedback(another, [VERP], "", LINKS, NOON).id


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=500), st.integers(0, 3000))
@example(b'Content-Type: multipart/report; x="' + b";" * 9000, 0)
@example(b"Content-Type: message/rfc822\n\n" * 5000, 0)
@example(b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(9000)), 0)
@example(b"Content-Type: message/delivery-status\n\n" + b"a: b\n\n" * 50_000, 0)
@example(b"From: mailer-daemon@x\n\n" + b"\n" * 500_000, 0)
@example(b"From: mailer-daemon@x\n\n" + b"<a@" * 200_000, 0)
def test_no_mail_is_too_odd(garbage: bytes, cut: int) -> None:
    whole = a_bounce()
    for mail in (garbage, whole[:cut], whole[:cut] + garbage, garbage + whole, whole.replace(b"text/", garbage)):
        assert feedback(mail, ["\udcff"], None, LINKS, NOON).kind in Happening


@given(st.lists(st.sampled_from(["a_report", "rfc822", "mixed"]), max_size=30))
@settings(max_examples=50, deadline=None)
def test_reports_in_reports_end(shells: list[str]) -> None:
    mail = a_bounce()
    for number, shell in enumerate(shells):
        if shell == "mixed":
            mail = b"Content-Type: multipart/mixed; boundary=n%d\r\n\r\n--n%d\r\n" % (number, number) + mail
        else:
            mail = b"Content-Type: message/rfc822\r\n\r\n" + mail
    assert feedback(mail, [VERP], "", LINKS, NOON).mail == REF


def test_tokens_of_one_kind_are_no_proof_as_another() -> None:
    swapped = f"b+{LINKS.token(LinkKind.UNSUBSCRIBE, REF)}@bounce.example.com"
    assert feedback(a_bounce(returned=""), [swapped], "", LINKS, NOON).mail is None
