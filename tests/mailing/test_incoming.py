"""What an answer says of itself, read from its header."""

from hypothesis import given
from hypothesis import strategies as st

from serienmail.domain.auto_answer import Incoming
from serienmail.mailing.incoming import read_incoming

PLAIN = b"From: Anna <anna@example.org>\r\nMessage-ID: <1@example.org>\r\n"


def test_a_plain_answer_has_a_sender_and_a_message_id() -> None:
    mail = PLAIN + b"\r\nPrecedence: bulk\r\n"  # in its body
    assert read_incoming(mail) == Incoming(sender="anna@example.org", message_id="<1@example.org>")


def test_headers_of_programs_and_lists_are_told() -> None:
    mail = PLAIN + (
        b"Return-Path: <>\r\nAuto-Submitted: auto-replied\r\nPrecedence: bulk\r\n"
        b"list-ID: <x.example.org>\r\nX-Auto-Response-Suppress: All\r\n\r\n"
    )
    told = read_incoming(mail)
    assert (told.from_nobody, told.of_list, told.unwanted) == (True, True, True)
    assert (told.auto_submitted, told.precedence) == ("auto-replied", "bulk")


def test_several_senders_are_none() -> None:
    assert read_incoming(b"From: anna@example.org, eve@example.org\r\n\r\n").sender == ""


def test_a_message_id_that_could_start_another_header_is_none() -> None:
    for value in (b"<a b@c>", b"<a>\r\n <b>", b"a@b", b"<" + b"a" * 300 + b">", "<ä@b>".encode()):
        assert read_incoming(b"Message-ID: " + value + b"\r\n\r\n").message_id == ""


@given(st.binary(max_size=2_000))
def test_whatever_comes_in_it_ends_without_an_exception(data: bytes) -> None:
    read_incoming(b"From: " + data)
