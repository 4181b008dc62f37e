"""The parts of a message (RFC 2045, 2046): what all mails of a stage share is written once, the rest filled in."""

import re
from base64 import encodebytes
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from serienmail.domain.errors import TemplateFault
from serienmail.mailing.message import check_one_line, fixed_header
from serienmail.mailing.quoted_printable import quoted_printable

_HOLE = b"\0"  # where a body goes; no header, base64 or boundary contains it
_CONTENT_TYPE = re.compile(r"(?!message/|multipart/)[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*")  # those can't be base64
_CONTENT_ID = re.compile(r"[A-Za-z0-9._-]+(?:@[A-Za-z0-9._-]+)?")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-](?:[A-Za-z0-9._ -]{0,53}[A-Za-z0-9._-])?")
_NAME_SECTION = 55  # with " filename*10*=utf-8''" less than 78


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes along. name: as people see it. content_type: such as ``application/pdf``."""

    name: str
    content_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class InlineImage:
    """An image that the HTML shows: it refers to it as ``cid:<content_id>``."""

    content_id: str
    content_type: str
    data: bytes = field(repr=False)


class Skeleton:
    """The messages of one stage but for the headers and bodies that differ.

    Built as mixed(related(alternative(plain, html), images…), attachments…), without levels that hold one part only.
    Raises TemplateFault if an attachment or image can't go along.
    """

    def __init__(self, *, text: bool, html: bool, attachments: Sequence[Attachment | InlineImage] = ()) -> None:
        images = [_image(part) for part in attachments if isinstance(part, InlineImage)]
        files = [_file(part) for part in attachments if isinstance(part, Attachment)]
        if images and not html:
            raise TemplateFault("an image in the text needs an HTML body; add one, or attach the image as a file.")
        bodies = [_body(kind) for kind, wanted in (("plain", text), ("html", html)) if wanted]
        alternative = _multipart("alternative", bodies)
        root = 'type="multipart/alternative"' if len(bodies) > 1 else 'type="text/html"'
        related = _multipart("related", [alternative, *images], root)  # RFC 2387 wants the root's type
        whole = b"MIME-Version: 1.0\r\n" + _multipart("mixed", [related, *files]) + b"\r\n"
        self._head, *self._after_bodies = whole.split(_HOLE)
        self.size = len(whole)

    def message(self, headers: Iterable[bytes], *bodies: str | bytes) -> bytes:
        """The whole message: the same arguments, the same bytes.

        bodies: as many as the skeleton has, text first; bytes are quoted-printable already.
        """
        pieces = [*headers, self._head]
        for body, after in zip(bodies, self._after_bodies, strict=True):
            pieces.append(body if isinstance(body, bytes) else quoted_printable(body))
            pieces.append(after)
        return b"".join(pieces)


def _multipart(subtype: str, parts: Sequence[bytes], *parameters: str) -> bytes:
    if len(parts) == 1:
        return parts[0]
    boundary = f"=_{subtype}"  # neither quoted-printable nor base64 can contain "=_" (RFC 2045 6.7)
    words = [f"multipart/{subtype};", *(f"{parameter};" for parameter in parameters), f'boundary="{boundary}"']
    delimiter = f"\r\n--{boundary}".encode()
    return b"".join(
        [fixed_header("Content-Type", *words), *(delimiter + b"\r\n" + part for part in parts), delimiter, b"--"]
    )


def _body(kind: str) -> bytes:
    header = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return header.encode() + _HOLE


def _image(image: InlineImage) -> bytes:
    if not _CONTENT_ID.fullmatch(image.content_id):
        raise TemplateFault("an image's content id takes only letters, digits, dots, dashes and one @; change it.")
    headers = fixed_header("Content-ID", f"<{image.content_id}>") + fixed_header("Content-Disposition", "inline")
    return _encoded(image.content_type, headers, image.data)


def _file(file: Attachment) -> bytes:
    disposition = fixed_header("Content-Disposition", "attachment;", *_file_name(file.name))
    return _encoded(file.content_type, disposition, file.data)


def _encoded(content_type: str, headers: bytes, data: bytes) -> bytes:
    if not _CONTENT_TYPE.fullmatch(content_type):
        raise TemplateFault("an attachment's content type can't be used; give one such as application/pdf.")
    encoding = fixed_header("Content-Transfer-Encoding", "base64")
    base64 = encodebytes(data).replace(b"\n", b"\r\n").removesuffix(b"\r\n")
    return fixed_header("Content-Type", content_type) + headers + encoding + b"\r\n" + base64


def _file_name(name: str) -> list[str]:
    """The parameter of Content-Disposition; in sections if it is long or more than plain ASCII (RFC 2231)."""
    if _PLAIN_NAME.fullmatch(check_one_line("Content-Disposition", name)):
        return [f'filename="{name}"']
    sections = list(_name_sections(name))
    if len(sections) == 1:
        return [f"filename*=utf-8''{sections[0]}"]
    charset = ["utf-8''"] + [""] * (len(sections) - 1)  # named once, at the beginning
    words = [f"filename*{n}*={charset[n]}{section}" for n, section in enumerate(sections)]
    return [*(f"{word};" for word in words[:-1]), words[-1]]


def _name_sections(name: str) -> Iterator[str]:
    """Percent-encoded, and never split inside a character: readers decode each section by itself."""
    section = ""
    for character in name:
        octets = quote(character, safe="")
        if len(section) + len(octets) > _NAME_SECTION:
            yield section
            section = ""
        section += octets
    yield section
