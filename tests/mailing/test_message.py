"""The serializer, with the standard library's parser as its judge."""

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from serienmail.domain.errors import TemplateFault
from serienmail.mailing.message import Mailbox, fixed_header, mailbox_header, serialize, text_header

LINE_ENDS = "".join(map(chr, [*range(0x20), 0x7F, 0x85, 0x2028, 0x2029]))
ONE_LINE = st.text(st.characters(codec="utf-8", exclude_characters=LINE_ENDS), max_size=200)
LONG_LINE = st.text("aé😀 =?_", max_size=300)
BODIES = st.text(max_size=300) | st.text("a .=\té😀\n\r", max_size=300)
LOOKS_ENCODED = "=?utf-8?q?x=0D=0ABcc:=20evil@example.org?="


def parsed(raw: bytes) -> EmailMessage:
    """The message, if it is without defects and keeps to the limits."""
    assert b"\n" not in raw.replace(b"\r\n", b"") and b"\r" not in raw.replace(b"\r\n", b"")
    message = message_from_bytes(raw, policy=policy.default)
    for part in message.walk():
        assert not part.defects
        assert not any(header.defects for _, header in part.items())
    return message


def message(*headers: bytes, text: str = "x", html: str = "") -> bytes:
    return serialize(headers, message_id="<1@example.com>", text=text, html=html)


def display_name(raw: bytes) -> str:
    """The name in To. The parser leaves a space between encoded words of a name, which RFC 2047 6.2 forbids;
    the library's older decoder does not.
    """
    phrase = message_from_bytes(raw, policy=policy.compat32)["To"].rpartition("<")[0].rstrip()
    if phrase.count("=?utf-8?b?") > 1:
        return str(make_header(decode_header(phrase)))
    return str(parsed(raw)["To"].addresses[0].display_name)


def body(raw: bytes, kind: str) -> str:
    part = parsed(raw).get_body((kind,))
    assert part is not None
    return str(part.get_content())


def normalized(body: str) -> str:
    return body.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


@given(ONE_LINE | LONG_LINE)
@example(LOOKS_ENCODED)
@example("  spaces  ")
@example("x" * 500)
def test_a_subject_is_read_as_it_was_written(subject: str) -> None:
    raw = message(text_header("Subject", subject))
    assert str(parsed(raw)["Subject"]) == subject
    assert max(map(len, raw.split(b"\r\n"))) <= 78


@given(ONE_LINE | LONG_LINE)
@example(LOOKS_ENCODED)
@example('Dr. "Max" Mül\\ler, jun.')
@example("a@b.example, c")
def test_a_display_name_is_read_as_it_was_written(name: str) -> None:
    raw = message(mailbox_header("To", Mailbox.of("anna@example.org", name)))
    (address,) = parsed(raw)["To"].addresses
    assert (display_name(raw), address.addr_spec) == (" ".join(name.split()), "anna@example.org")
    assert max(map(len, raw.split(b"\r\n"))) <= 78


@given(text=BODIES, html=BODIES)
def test_two_bodies_are_read_as_they_were_written(text: str, html: str) -> None:
    raw = message(text=text + ".", html=html + ".")
    assert body(raw, "plain") == normalized(text + ".")
    assert body(raw, "html") == normalized(html + ".")
    assert max(map(len, raw.split(b"\r\n"))) <= 76


@given(BODIES)
def test_a_single_body_is_read_as_it_was_written_and_ends_its_last_line(text: str) -> None:
    raw = message(text=text + ".")
    assert body(raw, "plain") == normalized(text + ".\n")
    assert max(map(len, raw.split(b"\r\n"))) <= 76


def test_text_and_html_are_alternatives_with_the_better_one_last() -> None:
    read = parsed(message(text="a", html="<p>b</p>"))
    assert [part.get_content_type() for part in read.walk()] == ["multipart/alternative", "text/plain", "text/html"]


@pytest.mark.parametrize(("text", "html", "kind"), [("a", "", "text/plain"), ("", "<p>b</p>", "text/html")])
def test_a_single_body_needs_no_multipart(text: str, html: str, kind: str) -> None:
    assert parsed(message(text=text, html=html)).get_content_type() == kind


def test_the_same_mail_has_the_same_bytes() -> None:
    assert message(text="a", html="b") == message(text="a", html="b")


@pytest.mark.parametrize("character", [*LINE_ENDS, "\ud800"])
def test_no_header_takes_a_line_end_or_control_character(character: str) -> None:
    value = f"x{character}Bcc: evil@example.org"
    for refused in (
        lambda: text_header("Subject", value),
        lambda: mailbox_header("To", Mailbox.of("anna@example.org", value)),
        lambda: fixed_header("Message-ID", value),
        lambda: Mailbox.of(f"anna{character}@example.org"),
        lambda: Mailbox.of(f"anna@example.org{character}\r\nBcc: evil@example.org"),
    ):
        with pytest.raises(TemplateFault) as fault:
            refused()
        assert "evil" not in str(fault.value)


def test_a_long_list_unsubscribe_is_neither_encoded_nor_broken() -> None:
    url, mailto = f"<https://mail.example.com/u/{'x' * 150}>", f"<mailto:leave@example.com?subject={'y' * 60}>"
    header = fixed_header("List-Unsubscribe", f"{url},", mailto)
    assert header.decode() == f"List-Unsubscribe: {url},\r\n {mailto}\r\n"


def test_a_header_beyond_the_limit_of_a_line_is_refused() -> None:
    with pytest.raises(TemplateFault):
        fixed_header("List-Unsubscribe", "<https://mail.example.com/" + "x" * 1000 + ">")


def test_a_domain_is_written_in_a_labels_and_a_local_part_as_it_is() -> None:
    assert Mailbox.of("Anna@Müller.example").address == "Anna@xn--mller-kva.example"
    assert Mailbox.of("jürgen@müller.example").address == "jürgen@xn--mller-kva.example"
    assert mailbox_header("To", Mailbox.of("jürgen@example.org", "Jo")) == "To: Jo <jürgen@example.org>\r\n".encode()


def test_half_a_character_in_a_body_is_refused() -> None:
    with pytest.raises(TemplateFault):
        message(text="\ud800")
