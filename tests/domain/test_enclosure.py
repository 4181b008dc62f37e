"""Enclosed files are of a size and a name that mails can carry; personal ones are found by the contact's fields."""

from base64 import encodebytes

import pytest

from serienmail.domain.enclosure import (
    Enclosed,
    check_file_name,
    check_pattern,
    check_sizes,
    encoded_size,
    personal_path,
)
from serienmail.domain.errors import InvalidOrder, TemplateFault


@pytest.mark.parametrize("size", [0, 1, 56, 57, 58, 10_000])
def test_a_file_s_size_is_counted_as_the_mail_carries_it(size: int) -> None:
    assert encoded_size(size) == len(encodebytes(b"x" * size).replace(b"\n", b"\r\n"))


def test_images_and_whole_mails_have_limits() -> None:
    image = Enclosed("1", "logo.png", "image/png", 262_145, content_id="logo")
    with pytest.raises(InvalidOrder, match=r"'logo' has 262,145 bytes; 262,144"):
        check_sizes([image], max_message=10_485_760, max_image=262_144)
    files = [Enclosed(str(n), "a.pdf", "application/pdf", 4_000_000) for n in range(2)]
    with pytest.raises(InvalidOrder, match="attach less"):
        check_sizes(files, max_message=10_485_760, max_image=262_144)
    check_sizes(files[:1], max_message=10_485_760, max_image=262_144)


@pytest.mark.parametrize("name", ["", "..", "a\nb.pdf", "a\0.pdf", "a/b.pdf", "a\\b.pdf", "a\u202efdp.exe", "\ud800"])
def test_a_file_name_with_control_characters_is_refused(name: str) -> None:
    with pytest.raises(InvalidOrder, match="rename the file"):
        check_file_name(name)
    assert check_file_name("Größe 2 (neu).pdf") == "Größe 2 (neu).pdf"


def test_a_personal_file_is_found_by_the_contact_s_fields() -> None:
    contact = {"key": "K-1", "year": 2026}
    assert personal_path("{{ contact.year }}/Vertrag {{contact.key}}.pdf", contact) == "2026/Vertrag K-1.pdf"


@pytest.mark.parametrize("key", ["../secret", "a/b", "", "..", None, "a\\b"])
def test_a_field_can_not_lead_out_of_the_folder(key: str | None) -> None:
    with pytest.raises(TemplateFault, match=r"contact\.key"):
        personal_path("{{ contact.key }}.pdf", {"key": key})


@pytest.mark.parametrize("pattern", ["same-for-all.pdf", "/etc/{{ contact.key }}", "{{ contact.key | upper }}.pdf"])
def test_a_pattern_is_a_relative_path_with_contact_fields_alone(pattern: str) -> None:
    with pytest.raises(InvalidOrder, match="write it like"):
        check_pattern(pattern, ["key"])
    with pytest.raises(InvalidOrder, match=r"contact\.kee"):
        check_pattern("{{ contact.kee }}.pdf", ["key"])
    check_pattern("x/{{ contact.key }}.pdf", ["key"])
