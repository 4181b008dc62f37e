"""Whole messages, with the standard library's parser as their judge."""

from email.message import MIMEPart

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from serienmail.domain.errors import TemplateFault
from serienmail.mailing.mime import Attachment, InlineImage, Skeleton
from tests.mailing.parsing import body, parsed

LINE_ENDS = "".join(map(chr, [*range(0x20), 0x7F, 0x85, 0x2028, 0x2029]))
BODIES = st.text(max_size=300) | st.text("a .=\té😀\n\r>", max_size=1500)
FILE_NAMES = st.text(st.characters(codec="utf-8", exclude_characters=LINE_ENDS), min_size=1, max_size=200)
LOGO = InlineImage("logo@example.com", "image/png", b"\x89PNG" * 100)
PRICES = Attachment("Preise 2026.pdf", "application/pdf", b"%PDF" * 100)
BOTH = Skeleton(text=True, html=True)


def normalized(body: str) -> str:
    return body.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


def longest_line(raw: bytes) -> int:
    return max(map(len, raw.split(b"\r\n")))


def with_parts(*parts: Attachment | InlineImage) -> bytes:
    return Skeleton(text=True, html=True, attachments=parts).message([b"Subject: x\r\n"], "a", "<p>b</p>")


def structure(message: MIMEPart) -> object:
    """Content types, nested as the parts are."""
    kind = message.get_content_type()
    return (kind, [structure(part) for part in message.iter_parts()]) if message.is_multipart() else kind


ALTERNATIVE = ("multipart/alternative", ["text/plain", "text/html"])


@given(text=BODIES, html=BODIES)
@example("x" * 2000, "<td>" * 500 + "ü" * 2000 + ">")
@example(".\n..\n.", "a \nb\t\n" + "x " * 400)
def test_two_bodies_are_read_as_they_were_written(text: str, html: str) -> None:
    raw = BOTH.message([], text, html)
    assert body(raw, "plain") == normalized(text)
    assert body(raw, "html") == normalized(html)
    assert longest_line(raw) <= 76


@given(BODIES)
def test_a_single_body_is_read_as_it_was_written_and_ends_its_last_line(text: str) -> None:
    raw = Skeleton(text=True, html=False).message([], text)
    assert body(raw, "plain") == normalized(text) + "\r\n"
    assert longest_line(raw) <= 76


@given(text=BODIES, data=st.binary(max_size=300))
def test_no_body_or_file_can_end_the_part_it_is_in(text: str, data: bytes) -> None:
    hostile = f"{text}\r\n--=_alternative--\r\n--=_mixed\r\n\r\n{text}"
    file = Attachment("x", "application/octet-stream", b"--=_mixed--\r\n" + data)
    raw = Skeleton(text=True, html=True, attachments=[file]).message([], hostile, hostile)
    assert structure(parsed(raw)) == ("multipart/mixed", [ALTERNATIVE, "application/octet-stream"])
    (attached,) = parsed(raw).iter_attachments()
    assert attached.get_content() == file.data


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((), ALTERNATIVE),
        ((LOGO,), ("multipart/related", [ALTERNATIVE, "image/png"])),
        ((PRICES,), ("multipart/mixed", [ALTERNATIVE, "application/pdf"])),
        (
            (PRICES, LOGO),
            ("multipart/mixed", [("multipart/related", [ALTERNATIVE, "image/png"]), "application/pdf"]),
        ),
    ],
    ids=["none", "image", "file", "both"],
)
def test_images_stand_beside_the_html_and_files_beside_it_all(
    parts: tuple[Attachment | InlineImage, ...], expected: object
) -> None:
    assert structure(parsed(with_parts(*parts))) == expected


def test_a_related_part_names_the_type_of_its_root() -> None:
    assert parsed(with_parts(LOGO))["Content-Type"].params["type"] == "multipart/alternative"
    html_only = Skeleton(text=False, html=True, attachments=[LOGO]).message([], "<p>b</p>")
    assert parsed(html_only)["Content-Type"].params["type"] == "text/html"


@pytest.mark.parametrize(("text", "html", "kind"), [(True, False, "text/plain"), (False, True, "text/html")])
def test_a_single_body_needs_no_multipart(text: bool, html: bool, kind: str) -> None:
    assert parsed(Skeleton(text=text, html=html).message([], "x")).get_content_type() == kind


def test_an_image_is_found_by_its_content_id() -> None:
    _, image = parsed(with_parts(LOGO)).iter_parts()
    assert (image["Content-ID"], image.get_content_disposition()) == ("<logo@example.com>", "inline")
    assert image.get_content() == LOGO.data


@given(FILE_NAMES)
@example("Preise 2026.pdf")
@example("Größentabelle für Öfen – Übersicht 2026 (endgültig).xlsx")
@example("%41*'.txt")
@example('a"b\\c.txt')
@example("x" * 200)
def test_a_file_keeps_its_name(name: str) -> None:
    raw = with_parts(Attachment(name, "application/pdf", b"x"))
    (file,) = parsed(raw).iter_attachments()
    assert file["Content-Disposition"].params["filename"] == name
    assert longest_line(raw) <= 78


@pytest.mark.parametrize("character", [*LINE_ENDS, "\ud800"])
@pytest.mark.parametrize("field", ["name", "content_type"])
def test_no_line_end_in_an_attachment_starts_a_header(field: str, character: str) -> None:
    values = {"name": "x", "content_type": "application/pdf"}
    values[field] += f"{character}Bcc: evil@example.org"
    with pytest.raises(TemplateFault):
        with_parts(Attachment(**values, data=b""))


@pytest.mark.parametrize("content_type", ["pdf", "message/rfc822", "multipart/mixed", "text/plain; charset=x", ""])
def test_a_content_type_that_base64_does_not_suit_is_refused(content_type: str) -> None:
    with pytest.raises(TemplateFault):
        with_parts(Attachment("x", content_type, b""))


@pytest.mark.parametrize("content_id", ["", "<logo>", "logo\r\nBcc: x", "a b", "a@b@c"])
def test_a_content_id_that_no_html_can_name_is_refused(content_id: str) -> None:
    with pytest.raises(TemplateFault):
        with_parts(InlineImage(content_id, "image/png", b""))


def test_an_image_without_html_to_show_it_is_refused() -> None:
    with pytest.raises(TemplateFault, match="HTML"):
        Skeleton(text=True, html=False, attachments=[LOGO])


def test_the_same_mail_has_the_same_bytes() -> None:
    assert with_parts(LOGO, PRICES) == with_parts(LOGO, PRICES)


def test_half_a_character_in_a_body_is_refused() -> None:
    with pytest.raises(TemplateFault):
        BOTH.message([], "\ud800", "x")
