"""What goes along with a template's mails: files and inline images, the same for all or one for each recipient."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from serienmail.domain.errors import InvalidOrder, TemplateFault

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_FIELD = re.compile(r"\{\{\s*contact\.(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Enclosed:
    """A stored file that goes along with every mail.

    id: a hash of its content, under which it is stored. size: bytes. content_id: of an image that the HTML shows as
    ``cid:<content_id>``; empty for an attachment.
    """

    id: str
    name: str
    content_type: str
    size: int
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class Enclosures:
    """personal: paths with contact fields, such as ``contracts/{{ contact.key }}.pdf``: a file for each recipient."""

    files: tuple[Enclosed, ...] = ()
    personal: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.files or self.personal)


def check_file_name(name: str) -> str:
    """The name; InvalidOrder if it holds what no mail program should see: control or direction characters, slashes."""
    if not name.strip(" .") or "/" in name or "\\" in name or _CONTROL.search(name):
        raise InvalidOrder("An attachment's file name is empty or holds control characters; rename the file.")
    return name


def check_sizes(files: Iterable[Enclosed], *, max_message: int, max_image: int) -> None:
    """InvalidOrder if an image, or all files encoded together, are larger than the installation allows (bytes)."""
    whole = 0
    for file in files:
        whole += encoded_size(file.size)
        if file.content_id and file.size > max_image:
            raise InvalidOrder(
                f"The image '{file.content_id}' has {file.size:,} bytes; {max_image:,} are allowed, make it smaller."
            )
    if whole > max_message:
        raise InvalidOrder(
            f"The attachments have {whole:,} bytes as a mail carries them, and a whole mail may have {max_message:,}; "
            "attach less, or link to the files."
        )


def encoded_size(size: int) -> int:
    """Bytes of a file in base64 with its line ends (RFC 2045 6.8)."""
    characters = (size + 2) // 3 * 4
    return characters + (characters + 75) // 76 * 2


def fields_of(pattern: str) -> list[str]:
    """The contact fields that a path pattern names."""
    return _FIELD.findall(pattern)


def check_pattern(pattern: str, known: Iterable[str]) -> None:
    """InvalidOrder unless the pattern is a relative path that names a field of contacts, and only such."""
    if unknown := sorted(set(fields_of(pattern)) - set(known)):
        raise InvalidOrder(f"The personal attachment uses contact.{unknown[0]}, which no contact has; correct it.")
    if not fields_of(pattern) or "{" in _FIELD.sub("", pattern) or pattern.startswith("/"):
        raise InvalidOrder(
            f"The personal attachment '{pattern}' must be a relative path with a contact field; "
            "write it like contracts/{{ contact.key }}.pdf."
        )


def personal_path(pattern: str, contact: Mapping[str, Any]) -> str:
    """The path for this recipient, relative to the installation's folder; TemplateFault if a field can't be in one."""

    def value(found: re.Match[str]) -> str:
        text = str(contact.get(found[1]) or "")
        if not text.strip(" .") or "/" in text or "\\" in text or _CONTROL.search(text):
            raise TemplateFault(
                f"the path of the personal attachment needs contact.{found[1]}, which is empty or no file name"
            )
        return text

    return _FIELD.sub(value, pattern)
