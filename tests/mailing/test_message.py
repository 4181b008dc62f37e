"""Headers and addresses, with the standard library's parser as their judge."""

from email import message_from_bytes, policy
from email.header import decode_header, make_header

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from serienmail.domain.errors import TemplateFault
from serienmail.mailing.message import Mailbox, fixed_header, mailbox_header, text_header
from tests.mailing.parsing import parsed

LINE_ENDS = "".join(map(chr, [*range(0x20), 0x7F, 0x85, 0x2028, 0x2029]))
ONE_LINE = st.text(st.characters(codec="utf-8", exclude_characters=LINE_ENDS), max_size=200)
LONG_LINE = st.text("aé😀 =?_", max_size=300)
LOOKS_ENCODED = "=?utf-8?q?x=0D=0ABcc:=20evil@example.org?="


def message(*headers: bytes) -> bytes:
    return b"".join([*headers, b"\r\n"])


def display_name(raw: bytes) -> str:
    """The name in To. The parser leaves a space between encoded words of a name, which RFC 2047 6.2 forbids;
    the library's older decoder does not.
    """
    phrase = message_from_bytes(raw, policy=policy.compat32)["To"].rpartition("<")[0].rstrip()
    if phrase.count("=?utf-8?b?") > 1:
        return str(make_header(decode_header(phrase)))
    return str(parsed(raw)["To"].addresses[0].display_name)


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


ATOMS = st.text("abZ019!#$%&'*+-/=?^_`{|}~.", min_size=1, max_size=70)
DOMAINS = st.text("abZ09-.üß", min_size=1, max_size=80) | st.sampled_from(["localhost", "a.test", "x.local", "1.2.3.4"])


@given(ATOMS | st.text(max_size=20), DOMAINS | DOMAINS.map(lambda domain: f"{domain}.example"))
@example("a" * 64, ".".join(["b" * 60] * 4))
@example("a" * 65, "example.org")
def test_the_short_way_to_a_checked_address_never_differs_from_the_long_one(local_part: str, domain: str) -> None:
    address = f"{local_part}@{domain}"
    try:
        long_way = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        with pytest.raises(TemplateFault):
            Mailbox.of(address)
    else:
        assert Mailbox.of(address).address == f"{long_way.local_part}@{long_way.ascii_domain}"
