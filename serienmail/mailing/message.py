"""Headers and bodies as bytes, ready for the wire (RFC 5322, 2045, 2047, 6532).

An own serializer: the standard library's takes milliseconds for a mail, folds a long List-Unsubscribe into invalid
encoded words, and decodes text that merely looks like one (CVE-2024-6923). It parses what we write in the tests.
"""

import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from email_validator import EmailNotValidError, validate_email

from serienmail.domain.errors import TemplateFault

_LINE_ENDS = "\x00-\x1f\x7f\x85\u2028\u2029"  # …and what a careless server or client might take for one
_UNWRITABLE = re.compile(f"[{_LINE_ENDS}\ud800-\udfff]")
_LINE = 78  # RFC 5322 2.1.1: should; 998 is the must
_LONGEST_LINE = 998
_WORD = 66  # a longest word and "Reply-To: " still fit into one line
_WORD_OCTETS = 39  # as base64 52 characters, with =?utf-8?b?…?= 64
_PLAIN = re.compile(rf"[!-~]{{1,{_WORD}}}(?: [!-~]{{1,{_WORD}}})*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


@dataclass(frozen=True, slots=True)
class Mail:
    """A message and its envelope, ready for a mail server.

    data: with CRLF line ends, not dot-stuffed. smtputf8: the server must take addresses in UTF-8 (RFC 6531).
    """

    sender: str
    recipient: str
    data: bytes = field(repr=False)
    smtputf8: bool


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address, its domain in A-labels, and a display name."""

    address: str
    name: str = ""

    @classmethod
    def of(cls, address: str, name: str = "") -> "Mailbox":
        """Check the address; TemplateFault if no mail can carry it."""
        try:
            parsed = validate_email(address, check_deliverability=False, test_environment=True)
        except EmailNotValidError:
            raise TemplateFault("an address can't be written into the mail; correct it in the CRM.") from None
        return cls(f"{parsed.local_part}@{parsed.ascii_domain}", name)

    @property
    def domain(self) -> str:
        """What stands after the @."""
        return self.address.rpartition("@")[2]


def check_one_line(name: str, value: str) -> str:
    """The value, if it is one line; TemplateFault, without the value, if it could start a second header."""
    if _UNWRITABLE.search(value):
        raise TemplateFault(f"the header {name} would hold a line break or control character; remove it from the data.")
    return value


def text_header(name: str, value: str) -> bytes:
    """A header that is read by people. The value is literal: what looks like an encoded word is encoded."""
    check_one_line(name, value)
    return _folded(name, value.split(" ") if _is_plain(value) else _encoded_words(value))


def mailbox_header(name: str, mailbox: Mailbox) -> bytes:
    """From, To or Reply-To with one mailbox. Spaces in its name part words and mean nothing else (RFC 5322 3.2.2)."""
    display_name = " ".join(check_one_line(name, mailbox.name).split())
    if not display_name:
        return _folded(name, [mailbox.address])
    return _folded(name, [*_phrase(display_name), f"<{mailbox.address}>"])


def fixed_header(name: str, *words: str) -> bytes:
    """A header that is read by programs: folded between its words, never encoded."""
    if not all(word.isascii() and word.isprintable() for word in words):
        raise TemplateFault(f"the header {name} takes nothing but ASCII; check the addresses in the settings.")
    return _folded(name, words)


def serialize(headers: Iterable[bytes], *, message_id: str, text: str, html: str) -> bytes:
    """The whole message. The same arguments give the same bytes, so that a resend is the same message."""
    lines = [*headers, b"MIME-Version: 1.0\r\n"]
    parts = [_part(kind, body) for kind, body in (("plain", text), ("html", html)) if body]
    if len(parts) == 1:
        return b"".join([*lines, *parts])
    # "=_" never occurs in quoted-printable text, so the boundary can't either.
    boundary = "=_" + hashlib.sha256(message_id.encode()).hexdigest()[:24]
    lines.append(fixed_header("Content-Type", "multipart/alternative;", f'boundary="{boundary}"'))
    delimiter = f"--{boundary}".encode()
    lines.append(b"\r\n")
    for part in parts:
        lines += [delimiter, b"\r\n", part]
    return b"".join([*lines, delimiter, b"--\r\n"])


def _part(kind: str, body: str) -> bytes:
    lines = body.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n") + "\r\n"
    try:
        encoded = binascii.b2a_qp(lines.encode())
    except UnicodeEncodeError:
        raise TemplateFault("the mail would hold half a character; remove it from the data.") from None
    header = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return header.encode() + encoded


def _is_plain(value: str) -> bool:
    return "=?" not in value and _PLAIN.fullmatch(value) is not None


def _phrase(name: str) -> list[str]:
    if "=?" not in name and len(name) <= _WORD and _ATOMS.fullmatch(name):
        return [name]
    if _is_plain(name) and len(name) <= _WORD // 2:  # it may double when quoted
        return ['"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"']
    return list(_encoded_words(name))


def _encoded_words(value: str) -> Iterator[str]:
    """RFC 2047, base64. A character is never split between two words (section 5)."""
    chunk = b""
    for character in value:
        octets = character.encode()
        if len(chunk) + len(octets) > _WORD_OCTETS:
            yield _encoded_word(chunk)
            chunk = b""
        chunk += octets
    yield _encoded_word(chunk)


def _encoded_word(octets: bytes) -> str:
    return f"=?utf-8?b?{binascii.b2a_base64(octets, newline=False).decode()}?="


def _folded(name: str, words: Iterable[str]) -> bytes:
    """The words with a space between them, or a new line where the old one would grow too long."""
    first, *others = words
    lines = [f"{name}: {first}"]
    for word in others:
        if len(lines[-1]) + 1 + len(word) <= _LINE:
            lines[-1] += " " + word
        else:
            lines.append(" " + word)
    if max(map(len, lines)) > _LONGEST_LINE:
        raise TemplateFault(f"the header {name} is longer than a mail may carry; shorten it.")
    return "\r\n".join([*lines, ""]).encode()
