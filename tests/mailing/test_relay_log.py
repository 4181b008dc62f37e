"""What Postfix's lines prove, and what they don't: when in doubt, nothing."""

import pickle
from pathlib import Path

import pytest

from serienmail.domain.doubt import Finding
from serienmail.mailing.relay_log import RelayLog

EXCERPT = (Path(__file__).parent / "relay_logs/killed.log").read_bytes()
MAIL, MARK = "<mail@example.com>", "mark-0123.invalid"
CONNECT = "smtpd[7]: connect from unknown[192.0.2.1]"
DISCONNECT = "smtpd[7]: disconnect from unknown[192.0.2.1] ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4"
CUT = "smtpd[7]: lost connection after DATA (87 bytes) from unknown[192.0.2.1]"
BEGUN = "smtpd[7]: A1B2C3D4E5: client=unknown[192.0.2.1]"
NAMED = f"cleanup[8]: A1B2C3D4E5: message-id={MAIL}"
QUEUED = "qmgr[9]: A1B2C3D4E5: from=<b@example.com>, size=300, nrcpt=1 (queue active)"
ACCEPTED = (CONNECT, BEGUN, NAMED, QUEUED, "smtpd[7]: disconnect from unknown[192.0.2.1] data=1 commands=4")
MARKED = (
    "smtpd[6]: connect from unknown[192.0.2.2]",
    "smtpd[6]: NOQUEUE: reject: MAIL from unknown[192.0.2.2]: 552 5.3.4 Message size exceeds fixed limit; "
    f"from=<> proto=ESMTP helo=<{MARK}>",
    "smtpd[6]: disconnect from unknown[192.0.2.2] ehlo=1 mail=0/1 quit=1 commands=2/3",
)


def found(*lines: str, prefix: str = "Nov  2 08:19:41 relay postfix/", asked: str = MAIL) -> Finding:
    """What these lines prove about the mail. prefix: what stands before each that has no time of its own."""
    log = RelayLog([asked], MARK)
    for line in lines:
        log.feed((line if line.startswith("Nov ") else f"{prefix}{line}").encode())
    return log.finding(asked)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("second-of-all", Finding.ACCEPTED),
        ("inside", Finding.NOT_ACCEPTED),
        ("inside-large", Finding.NOT_ACCEPTED),
        ("after-dot", Finding.ACCEPTED),
        ("after-reply", Finding.ACCEPTED),
        ("network-gone", Finding.ACCEPTED),
        ("never-came", Finding.NOT_ACCEPTED),
    ],
)
def test_a_real_log_decides_every_moment_a_sender_can_be_killed_at(name: str, expected: Finding) -> None:
    message_id = f"<{name}@x.example>"
    log = RelayLog([message_id], MARK)
    for line in EXCERPT.splitlines():
        log.feed(line)
    assert log.finding(message_id) is expected


@pytest.mark.parametrize(
    "prefix",
    [
        "Nov  2 08:19:41 relay postfix/",
        "2026-11-02T08:19:41.123456+01:00 relay postfix/",
        "Nov 22 18:19:41 relay.example.org postfix-out/",
    ],
)
def test_every_form_of_the_log_is_read(prefix: str) -> None:
    assert found(*ACCEPTED, prefix=prefix) is Finding.ACCEPTED
    assert found(CONNECT, BEGUN, DISCONNECT, *MARKED, prefix=prefix) is Finding.NOT_ACCEPTED


def test_long_queue_ids_and_a_service_with_a_name_of_its_own_are_read() -> None:
    begun = "submission/smtpd[7]: 4gWq8n3TzKz9sBx: client=unknown[192.0.2.1], sasl_method=PLAIN, sasl_username=a"
    lines = (line.replace("A1B2C3D4E5", "4gWq8n3TzKz9sBx") for line in (NAMED, QUEUED))
    assert found(begun, *lines) is Finding.ACCEPTED


def test_without_a_mark_nothing_is_not_accepted() -> None:
    assert found(CONNECT, BEGUN, DISCONNECT) is Finding.UNCLEAR


def test_named_and_not_queued_yet_is_unclear() -> None:
    assert found(CONNECT, BEGUN, NAMED, *MARKED) is Finding.UNCLEAR
    assert found(CONNECT, BEGUN, NAMED, DISCONNECT, *MARKED) is Finding.UNCLEAR


def test_queued_late_is_accepted() -> None:
    assert found(CONNECT, BEGUN, NAMED, DISCONNECT, *MARKED, QUEUED) is Finding.ACCEPTED


def test_named_after_its_connection_was_lost_it_was_not_accepted() -> None:
    assert found(CONNECT, BEGUN, CUT, DISCONNECT, NAMED, *MARKED) is Finding.NOT_ACCEPTED


def test_a_message_that_was_begun_before_the_mark_may_be_it_until_it_is_over() -> None:
    assert found(CONNECT, BEGUN, *MARKED) is Finding.UNCLEAR
    assert found(CONNECT, BEGUN, *MARKED, DISCONNECT) is Finding.NOT_ACCEPTED
    assert found(CONNECT, BEGUN, *MARKED, NAMED.replace("mail@", "other@")) is Finding.NOT_ACCEPTED


def test_a_message_that_was_begun_after_the_mark_cannot_be_it() -> None:
    assert found(CONNECT, *MARKED, BEGUN) is Finding.NOT_ACCEPTED


def test_a_queue_id_that_is_used_again_proves_nothing_about_its_first_mail() -> None:
    again = (BEGUN, NAMED.replace("mail@", "other@"), QUEUED)
    assert found(CONNECT, BEGUN, NAMED, *again, *MARKED) is Finding.UNCLEAR
    assert found(CONNECT, BEGUN, CUT, *again, *MARKED) is Finding.NOT_ACCEPTED


def test_another_instance_s_queue_id_is_another_one() -> None:
    other = f"Nov  2 08:19:41 relay postfix-out/{QUEUED}"
    assert found(CONNECT, BEGUN, NAMED, other, *MARKED) is Finding.UNCLEAR


@pytest.mark.parametrize(
    "text",
    [
        f'smtpd[7]: NOQUEUE: reject: RCPT from x[192.0.2.1]: 550 no; from=<"{QUEUED}"@x> to=<a> helo=<x>',
        "smtpd[7]: improper command pipelining after DATA from x[192.0.2.1]: disconnect from x\\r\\n"
        "lost connection after DATA (87 bytes) from x",
        f"cleanup[8]: A1B2C3D4E5: warning: header Subject: A1B2C3D4E5: message-id={MAIL} from x; from=<a> to=<b>",
        f"cleanup[8]: A1B2C3D4E5: resent-message-id={MAIL}",
        'qmgr[9]: A1B2C3D4E5: from=<"a>, size=1, nrcpt=1 (queue active)"@x>, status=expired, returned to sender',
        f"smtpd[7]: warning: hostname helo=<{MARK}> does not resolve to address 192.0.2.1",
        f"smtpd[7]: NOQUEUE: reject: RCPT from x[192.0.2.1]: 550 no; from=<helo=<{MARK}>@x> to=<a> helo=<x>",
    ],
)
def test_text_that_others_choose_is_never_taken_for_a_line_of_its_own(text: str) -> None:
    assert found(CONNECT, BEGUN, text) is Finding.UNCLEAR
    assert found(CONNECT, BEGUN, text, *MARKED) is Finding.UNCLEAR


@pytest.mark.parametrize(
    "sign",
    [
        "smtpd[5]: NOQUEUE: client=unknown[192.0.2.3]",
        "master[1]: daemon started -- version 3.7.11, configuration /etc/postfix",
        "qmgr[9]: A1B2C3D4E5: from=<b@example.com>, size=300, nrcpt=1 (queue active)",
        "smtpd[7]: disconnect from unknown[192.0.2.1] ehlo=1 mail=2 rcpt=2 data=2 commands=8",
        "Nov  2 08:19:41 relay rsyslogd: imuxsock[pid 7]: 90 messages lost due to rate-limiting",
        "Nov  2 08:19:41 relay systemd-journald[300]: Suppressed 90 messages from postfix.service",
        "Nov  2 08:19:41 rel\0\0\0\0",
        "smtpd[7]: A1B2\0\0\0Nov  2 08:21:41 relay postfix/smtpd[3]: connect from unknown[192.0.2.3]",
    ],
)
def test_where_lines_may_be_missing_nothing_is_not_accepted(sign: str) -> None:
    assert found(CONNECT, BEGUN, sign, DISCONNECT, *MARKED) is Finding.UNCLEAR
    assert found(*ACCEPTED, sign, *MARKED) is Finding.ACCEPTED


def test_a_restart_ends_all_connections_if_the_log_outlived_it() -> None:
    stop, start = "master[1]: terminating on signal 15", "master[2]: daemon started -- version 3.7.11"
    assert found(CONNECT, BEGUN, stop, start, *MARKED) is Finding.NOT_ACCEPTED
    assert found(CONNECT, BEGUN, stop, *MARKED) is Finding.UNCLEAR


def test_a_queued_mail_is_accepted_whatever_happens_around_it() -> None:
    start = "master[2]: daemon started -- version 3.7.11"
    assert found(CONNECT, BEGUN, NAMED, "some line of another program", "", start, QUEUED) is Finding.ACCEPTED


def test_its_memory_does_not_grow_with_the_lines() -> None:
    log = RelayLog([MAIL], MARK)
    sizes = []
    for number in range(30_000):
        for line in (CONNECT, BEGUN, CUT, DISCONNECT):
            log.feed(f"Nov  2 08:19:41 relay postfix/{line}".replace("A1B2C3D4E5", f"{number:010X}").encode())
        if number in (20_000, 29_999):
            sizes.append(len(pickle.dumps(log)))
    assert sizes[0] == sizes[1]
