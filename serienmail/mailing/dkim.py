"""Signs mails for the domain they are from: DKIM, with relaxed canonicalization (RFC 6376, 8301, 8463)."""

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

_NEEDED = b"from to subject date message-id list-unsubscribe list-unsubscribe-post".split()
_SHORTEST_RSA = 2048
_LINE = 78
_FIELD_ENDS = re.compile(rb"\r\n(?![ \t])")
_FROM_DOMAIN = re.compile(rb"@([^@<>\s]+)>?\s*\Z")


def _private_key(source: object) -> object:
    """Read a PEM, or the file with it. A refusal never carries what was given: it may be half a key."""
    if not isinstance(source, str):
        return source
    try:
        pem = source if source.lstrip().startswith("-----BEGIN") else Path(source).read_text(encoding="ascii")
        key = load_pem_private_key(pem.encode(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("it is neither an unencrypted PEM key nor the path of a file with one") from None
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise ValueError("it is neither an RSA nor an Ed25519 key")
    if isinstance(key, RSAPrivateKey) and key.key_size < _SHORTEST_RSA:
        raise ValueError(f"an RSA key must have at least {_SHORTEST_RSA} bits")
    return key


class DkimKey(BaseModel):
    """One key; DNS holds its public half under ``<selector>._domainkey.<domain>``.

    domain: in A-labels; it signs for its subdomains, too. private_key: RSA or Ed25519; in the settings a PEM,
    or the path of a file with one. It is read at once, so that a bad one is refused at start and no text is kept.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True)

    domain: Annotated[str, StringConstraints(to_lower=True, pattern=r"^[A-Za-z0-9.-]+$")]
    selector: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$")]
    private_key: Annotated[RSAPrivateKey | Ed25519PrivateKey, BeforeValidator(_private_key)] = Field(repr=False)

    def signs_for(self, domain: str) -> bool:
        """Whether mails from this domain are aligned with this key's."""
        return domain == self.domain or domain.endswith(f".{self.domain}")

    @property
    def algorithm(self) -> str:
        """As the tag a= names it."""
        return "rsa-sha256" if isinstance(self.private_key, RSAPrivateKey) else "ed25519-sha256"

    def signature(self, data: bytes) -> bytes:
        """In base64, the same each time."""
        if isinstance(self.private_key, RSAPrivateKey):
            signature = self.private_key.sign(data, PKCS1v15(), SHA256())
        else:
            signature = self.private_key.sign(hashlib.sha256(data).digest())  # RFC 8463 3: of the hash
        return base64.b64encode(signature)


class DkimSigner:
    """Signs with every key of the From domain, or else of the nearest domain above it that has keys."""

    def __init__(self, keys: Sequence[DkimKey]) -> None:
        self._keys = tuple(keys)

    def sign(self, data: bytes) -> bytes:
        """The header lines to put in front of this mail; its Date is the time of signing. Empty without keys."""
        if not self._keys:
            return b""
        head, _, body = data.partition(b"\r\n\r\n")
        headers = _FIELD_ENDS.split(head.removesuffix(b"\r\n"))
        date = next(header for header in headers if header[:5].lower() == b"date:")
        return self.sign_headers(headers, body, parsedate_to_datetime(date[5:].decode()))

    def sign_headers(self, headers: Sequence[bytes], body: bytes, at: datetime) -> bytes:
        """The same in parts. headers: all that the mail has. at: its stored Date, so that a resend is signed the same.

        Each header is signed, and its name once more than it occurs, so that none can be added on the way; so are
        those of which an added one would mislead. Empty if no key is for the From domain. There is no ``l=``, which
        would let others append to the body.
        """
        fields: dict[bytes, list[bytes]] = {name: [] for name in _NEEDED}
        for header in headers:
            name, line = _relaxed(header)
            fields.setdefault(name, []).append(line)
        keys = self._keys_for(fields[b"from"])
        if not keys:
            return b""
        names = tuple(name for name, lines in fields.items() for _ in range(len(lines) + 1))
        # RFC 6376 5.4.2: of several with one name, the lowest is signed first.
        signed = b"".join(line for lines in fields.values() for line in reversed(lines))
        shared = f"t={int(at.timestamp())};\r\n".encode() + _names_tag(names) + b" bh=" + body_hash(body) + b";\r\n b="
        return b"".join(_header(key, shared, signed) for key in keys)

    def _keys_for(self, from_lines: Sequence[bytes]) -> list[DkimKey]:
        found = _FROM_DOMAIN.search(from_lines[0]) if from_lines else None
        domain = found[1].decode(errors="replace").lower() if found else ""
        keys = [key for key in self._keys if key.signs_for(domain)]
        nearest = max((len(key.domain) for key in keys), default=0)
        return [key for key in keys if len(key.domain) == nearest]


def body_hash(body: bytes) -> bytes:
    """SHA-256 of the canonical body, in base64: neither spaces at line ends nor empty lines at the end count."""
    body = _single_spaced(body + b"\r\n").replace(b" \r\n", b"\r\n")
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    return base64.b64encode(hashlib.sha256(body[: end + 2] if end else b"").digest())


def _relaxed(header: bytes) -> tuple[bytes, bytes]:
    """A header's name in lower case, and its canonical line."""
    name, _, value = header.partition(b":")
    name = name.rstrip(b" \t").lower()
    return name, name + b":" + _single_spaced(value.replace(b"\r\n", b"")).strip(b" ") + b"\r\n"


def _single_spaced(octets: bytes) -> bytes:
    """Each run of spaces and tabs as one space, in a fifth of the time that a regular expression takes."""
    octets = octets.replace(b"\t", b" ")
    while b"  " in octets:
        octets = octets.replace(b"  ", b" ")
    return octets


@lru_cache(maxsize=64)  # a stage's mails have the same headers
def _names_tag(names: tuple[bytes, ...]) -> bytes:
    lines = [b" h="]
    for name in names:
        if len(lines[-1]) + len(name) >= _LINE:
            lines.append(b"  ")
        lines[-1] += name + b":"
    return b"\r\n".join(lines).removesuffix(b":") + b";\r\n"


def _header(key: DkimKey, shared: bytes, signed: bytes) -> bytes:
    start = f"DKIM-Signature: v=1; a={key.algorithm}; c=relaxed/relaxed;\r\n d={key.domain};\r\n s={key.selector}; "
    unsigned = start.encode() + shared
    signature = key.signature(signed + _relaxed(unsigned)[1].removesuffix(b"\r\n"))
    width = _LINE - len(b" b=")
    chunks = (signature[at : at + width] for at in range(0, len(signature), width))
    return unsigned + b"\r\n ".join(chunks) + b"\r\n"
