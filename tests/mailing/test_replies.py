"""What follows from a mail server's answer: collected answers of real servers, and rules that hold for any."""

import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serienmail.domain.delivery import Pause, Verdict
from serienmail.mailing.replies import TREATMENTS, Phase, Reply, ReplyClass, answer, classify

COLLECTED = sorted(Path(__file__).with_name("replies").glob("*.toml"))


def collected() -> Iterator[tuple[str, str, ReplyClass]]:
    """Phase, reply and class of each; whoever adds one names where it was seen."""
    for file in COLLECTED:
        for source in tomllib.loads(file.read_text(encoding="utf-8"))["source"]:
            assert source["title"] and source["address"].startswith("http")
            for phase, line, expected in source["replies"]:
                yield phase, line, ReplyClass(expected)


@pytest.mark.parametrize(("phase", "line", "expected"), list(collected()))
def test_each_collected_reply_has_its_class(phase: str, line: str, expected: ReplyClass) -> None:
    assert classify(reply(phase, line)) is expected


def test_each_class_is_seen_among_many_collected_replies() -> None:
    replies = list(collected())
    assert {expected for _, _, expected in replies} == set(ReplyClass)
    assert len({(phase, line) for phase, line, _ in replies}) == len(replies) >= 150


def reply(phase: str, line: str) -> Reply:
    code, _, text = line.partition(" ")
    return Reply(Phase(phase), int(code), text)


@given(st.sampled_from(Phase), st.integers(), st.text())
def test_no_answer_is_too_strange_to_be_classified(phase: Phase, code: int, text: str) -> None:
    assert (classify(Reply(phase, code, text)) is ReplyClass.ACCEPTED) == (200 <= code <= 299)


ENHANCED = st.builds("{}.{}.{}".format, st.sampled_from([2, 4, 5]), st.integers(0, 7), st.integers(0, 900))
WORDS = st.sampled_from(
    ["", "no such user", "mailbox full", "spam", "greylisted", "blocked", "over quota", "relay denied", "daily quota"]
)
TEXTS = st.builds("{} {}".format, ENHANCED, WORDS) | WORDS | st.text()


@given(st.sampled_from(Phase), st.integers(200, 299), TEXTS)
def test_a_mail_that_was_taken_is_accepted_whatever_is_said_about_it(phase: Phase, code: int, text: str) -> None:
    assert classify(Reply(phase, code, text)) is ReplyClass.ACCEPTED


@given(st.sampled_from(Phase), st.integers(400, 499), TEXTS)
def test_what_may_pass_is_tried_again_and_costs_nobody_the_address(phase: Phase, code: int, text: str) -> None:
    treatment = TREATMENTS[classify(Reply(phase, code, text))]
    assert (treatment.verdict, treatment.suppress) == (Verdict.DEFERRED, False)


@given(st.sampled_from([Phase.CONNECT, Phase.AUTH, Phase.MAIL]), st.integers(500, 599), TEXTS)
def test_before_the_recipient_was_named_no_refusal_is_the_recipient_s(phase: Phase, code: int, text: str) -> None:
    blameless = {ReplyClass.ACCOUNT, ReplyClass.POLICY, ReplyClass.MESSAGE_FAULT}
    assert classify(Reply(phase, code, text)) in blameless


@given(st.sampled_from(Phase), st.integers(500, 599), TEXTS)
def test_only_a_permanent_refusal_after_the_recipient_was_named_suppresses(phase: Phase, code: int, text: str) -> None:
    if TREATMENTS[classify(Reply(phase, code, text))].suppress:
        assert phase in (Phase.RCPT, Phase.DATA, Phase.DOT)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("450 5.1.1 no such user", ReplyClass.DEFERRED),
        ("450 5.1.8 bad sender", ReplyClass.DEFERRED),
        ("550 4.2.0 not here", ReplyClass.HARD),
        ("552 5.1.1 over quota", ReplyClass.MAILBOX_FULL),
        ("354 go on", ReplyClass.DEFERRED),
    ],
)
def test_the_basic_code_wins_over_an_enhanced_code_that_contradicts_it(line: str, expected: ReplyClass) -> None:
    assert classify(reply("rcpt", line)) is expected


def test_an_ip_address_is_not_taken_for_an_enhanced_code() -> None:
    assert classify(reply("dot", "550 5.1.1.7 says no")) is ReplyClass.REJECTED


def test_a_local_part_that_no_server_takes_is_the_mail_s_fault() -> None:
    assert classify(reply("mail", "553 5.6.7 no such letters")) is ReplyClass.MESSAGE_FAULT


def test_every_class_has_a_treatment_and_what_pauses_says_what() -> None:
    assert set(TREATMENTS) == set(ReplyClass)
    assert {means: treatment.pause for means, treatment in TREATMENTS.items() if treatment.pause is not Pause.NONE} == {
        ReplyClass.THROTTLED: Pause.PROVIDER,
        ReplyClass.ACCOUNT: Pause.ACCOUNT,
        ReplyClass.POLICY: Pause.STAGE_FOR_PROVIDER,
    }


def test_only_a_mailbox_that_is_not_there_costs_the_address() -> None:
    assert [means for means, treatment in TREATMENTS.items() if treatment.suppress] == [ReplyClass.HARD]


def test_a_greylisted_mail_comes_back_within_a_quarter_of_an_hour_and_a_full_mailbox_has_three_days() -> None:
    greylisted, full = TREATMENTS[ReplyClass.GREYLISTED], TREATMENTS[ReplyClass.MAILBOX_FULL]
    quarter = timedelta(minutes=15)
    assert all(timedelta(minutes=5) <= wait <= quarter for wait in greylisted.tries_after[:4])
    assert full.give_up_after == sum(full.tries_after, timedelta()) == timedelta(days=3)


def test_an_answer_carries_its_codes_apart_from_its_words_which_may_name_somebody() -> None:
    said = answer(reply("rcpt", "550 5.1.1 <anna@example.org> unknown"))
    assert (said.codes, said.reply) == ("550 5.1.1", "550 5.1.1 <anna@example.org> unknown")
    assert said.suppress
    assert "anna" not in repr(said)
