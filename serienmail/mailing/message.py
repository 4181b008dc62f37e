"""A mail with its envelope, and its headers as bytes, ready for the wire (RFC 5322, 2047, 6532).

An own serializer: the standard library's takes milliseconds for a mail, folds a long List-Unsubscribe into invalid
encoded words, and decodes text that merely looks like one (CVE-2024-6923). It parses what we write in the tests.
"""

import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import field
from functools import lru_cache

from email_validator import EmailNotValidError, ValidatedEmail, validate_email

from serienmail.domain.errors import LineBroken, TemplateFault
from serienmail.domain.record import record

_LINE_ENDS = "\x00-\x1f\x7f\x85\u2028\u2029"  # …and what a careless server or client might take for one
_UNWRITABLE = re.compile(f"[{_LINE_ENDS}\ud800-\udfff]")
_LINE = 78  # RFC 5322 2.1.1: should; 998 is the must
_LONGEST_LINE = 998
_WORD = 66  # a longest word and "Reply-To: " still fit into one line
_WORD_OCTETS = 39  # as base64 52 characters, with =?utf-8?b?…?= 64
_PLAIN = re.compile(rf"[!-~]{{1,{_WORD}}}(?: [!-~]{{1,{_WORD}}})*")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ATOMS = re.compile(rf"{_ATOM}(?: {_ATOM})*")
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LONGEST_LOCAL_PART, _LONGEST_ADDRESS = 64, 254  # RFC 5321 4.5.3.1


@record
class Mail:
    """A message and its envelope, ready for a mail server.

    data: with CRLF line ends, not dot-stuffed. smtputf8: the server must take addresses in UTF-8 (RFC 6531).
    envelope_id: comes back in delivery reports (RFC 3461 4.4); letters, digits, - and _, or empty for none.
    """

    sender: str
    recipient: str
    data: bytes = field(repr=False)
    smtputf8: bool
    envelope_id: str = ""


@record
class Mailbox:
    """An address, its domain in A-labels, and a display name."""

    address: str
    name: str = ""

    @classmethod
    def of(cls, address: str, name: str = "") -> "Mailbox":
        """Check the address; TemplateFault if no mail can carry it."""
        local_part, _, domain = address.rpartition("@")
        if len(local_part) <= _LONGEST_LOCAL_PART and _DOT_ATOM.fullmatch(local_part):
            checked = f"{local_part}@{_ascii_domain(domain)}"
            if len(checked) <= _LONGEST_ADDRESS:
                return cls(checked, name)
        parsed = _validated(address)
        return cls(f"{parsed.local_part}@{parsed.ascii_domain}", name)

    @property
    def domain(self) -> str:
        """What stands after the @."""
        return self.address.rpartition("@")[2]


def _validated(address: str) -> ValidatedEmail:
    try:
        return validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise TemplateFault("an address can't be written into the mail; correct it in the CRM.") from None


@lru_cache(maxsize=10_000)
def _ascii_domain(domain: str) -> str:
    """A-labels. Kept, because checking a domain takes as long as all other headers of a mail together."""
    return str(_validated(f"x@{domain}").ascii_domain)


def check_one_line(name: str, value: str) -> str:
    """The value, if it is one line; LineBroken, without the value, if it could start a second header."""
    if not is_one_line(value):
        raise LineBroken(f"{line_fault(name)}.")
    return value


def is_one_line(value: str) -> bool:
    """Whether a header can hold it."""
    return _UNWRITABLE.search(value) is None


def line_fault(name: str) -> str:
    """What is said of a value that isn't one line."""
    return f"the header {name} would hold a line break or control character; remove it from the data"


def text_header(name: str, value: str) -> bytes:
    """A header that is read by people. The value is literal: what looks like an encoded word is encoded."""
    check_one_line(name, value)
    return _folded(name, value.split(" ") if _is_plain(value) else list(_encoded_words(value)))


def mailbox_header(name: str, mailbox: Mailbox) -> bytes:
    """From, To or Reply-To with one mailbox. Spaces in its name part words and mean nothing else (RFC 5322 3.2.2)."""
    display_name = " ".join(check_one_line(name, mailbox.name).split())
    if not display_name:
        return _folded(name, [mailbox.address])
    return _folded(name, [*_phrase(display_name), f"<{mailbox.address}>"])


def fixed_header(name: str, *words: str) -> bytes:
    """A header that is read by programs: folded between its words, never encoded."""
    value = "".join(words)
    if not (value.isascii() and value.isprintable()):
        raise TemplateFault(f"the header {name} takes nothing but ASCII; check the addresses in the settings.")
    return _folded(name, words)


def _is_plain(value: str) -> bool:
    # isascii first: the pattern goes back over all it has read when it comes to an umlaut
    return value.isascii() and "=?" not in value and _PLAIN.fullmatch(value) is not None


def _phrase(name: str) -> list[str]:
    if "=?" not in name and len(name) <= _WORD and _ATOMS.fullmatch(name):
        return [name]
    if _is_plain(name) and len(name) <= _WORD // 2:  # it may double when quoted
        return ['"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"']
    return list(_encoded_words(name))


def _encoded_words(value: str) -> Iterator[str]:
    """RFC 2047, base64. A character is never split between two words (section 5)."""
    octets = value.encode()
    while len(octets) > _WORD_OCTETS:
        end = _WORD_OCTETS
        while octets[end] & 0xC0 == 0x80:  # inside a character
            end -= 1
        yield _encoded_word(octets[:end])
        octets = octets[end:]
    yield _encoded_word(octets)


def _encoded_word(octets: bytes) -> str:
    return f"=?utf-8?b?{binascii.b2a_base64(octets, newline=False).decode()}?="


def _folded(name: str, words: Sequence[str]) -> bytes:
    """The words with a space between them, or a new line where the old one would grow too long."""
    header = f"{name}: {' '.join(words)}"
    if len(header) > _LINE:
        header = "\r\n ".join(_lines(name, words))
    return f"{header}\r\n".encode()


def _lines(name: str, words: Sequence[str]) -> list[str]:
    lines = [f"{name}: {words[0]}"]
    for word in words[1:]:
        if len(lines[-1]) + 2 + len(word) <= _LINE:  # every line but the first begins with a space
            lines[-1] += " " + word
        else:
            lines.append(word)
    if max(map(len, lines)) >= _LONGEST_LINE:
        raise TemplateFault(f"the header {name} is longer than a mail may carry; shorten it.")
    return lines
