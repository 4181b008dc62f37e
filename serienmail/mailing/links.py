"""Signed links and message ids: whom a click, an opt-out or a bounce is about, and proof that we wrote it."""

import base64
import hmac
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from serienmail.domain.delivery import MailRef as MailRef  # whoever has links needs it too
from serienmail.domain.errors import EnvironmentFault

_MAIL = struct.Struct(">BIBI")  # key id, number, stage, seq
_CLICK = struct.Struct(">BIBII")  # and the link's id
_SIGNATURE_SIZE = 16
_SHORTEST_KEY = 16
_TOKEN = re.compile(r"[a-z](?:[A-Za-z0-9_-]{35}|[A-Za-z0-9_-]{40})")


CONSENT = 255
"""The stage of a request for consent, which no mass mail has."""


class LinkKind(StrEnum):
    """What a token is for; its first letter. A token of one kind is worth nothing as another."""

    OPEN = "o"
    LINK = "l"
    UNSUBSCRIBE = "u"
    CONFIRM = "c"
    MESSAGE = "m"  # the left side of a Message-ID
    BOUNCE = "b"  # in the envelope's sender


@dataclass(frozen=True, slots=True)
class LinkRef:
    """One link in one mail. link: its id in the database, which alone knows where it leads."""

    mail: MailRef
    link: int


class Links:
    """Writes and reads tokens: 36 characters, 41 for a link, with an HMAC-SHA256 cut to 128 bits.

    key: a secret, or secrets by their ids 0–255 while they are rotated: the highest id signs, all are accepted.
    Unsubscribe links never expire, so a key stays here as long as mails signed with it may lie in an inbox.
    """

    def __init__(self, base_url: str, key: bytes | Mapping[int, bytes]) -> None:
        keys = {0: key} if isinstance(key, bytes) else key
        if not keys or min(map(len, keys.values())) < _SHORTEST_KEY:
            raise EnvironmentFault(f"a key for links is shorter than {_SHORTEST_KEY} bytes; set a random one.")
        self._base_url = base_url.rstrip("/")
        self._signing_key_id = max(keys)
        self._begun = {  # a copy that goes on takes half as long as a new one
            (key_id, str(kind)): hmac.new(_key_of(kind, secret), digestmod="sha256")
            for key_id, secret in keys.items()
            for kind in LinkKind
        }

    def token(self, kind: LinkKind, ref: MailRef) -> str:
        """The token for this mail, the same each time. kind: any but LINK."""
        payload = _MAIL.pack(self._signing_key_id, ref.number, ref.stage, ref.seq)
        return self._signed(self._signing_key_id, kind, payload)

    def read(self, kind: LinkKind, token: str) -> MailRef | None:
        """The mail this token was written for; None if it is of another kind, forged or damaged."""
        fields = self._fields(kind, _MAIL, token)
        return MailRef(*fields) if fields else None

    def read_link(self, token: str) -> LinkRef | None:
        """The link this token was written for; None if it is of another kind, forged or damaged."""
        fields = self._fields(LinkKind.LINK, _CLICK, token)
        return LinkRef(MailRef(*fields[:3]), fields[3]) if fields else None

    def link_url(self, ref: MailRef, link: int) -> str:
        """Where a click is recorded and sent on. link: the id of its target, up to 32 bits."""
        payload = _CLICK.pack(self._signing_key_id, ref.number, ref.stage, ref.seq, link)
        return f"{self._base_url}/l/{self._signed(self._signing_key_id, LinkKind.LINK, payload)}"

    def pixel_url(self, ref: MailRef) -> str:
        """The image whose loading is an open."""
        return f"{self._base_url}/o/{self.token(LinkKind.OPEN, ref)}.gif"

    def unsubscribe_url(self, ref: MailRef) -> str:
        """The page that asks, and the target of one-click POSTs (RFC 8058)."""
        return f"{self._base_url}/u/{self.token(LinkKind.UNSUBSCRIBE, ref)}"

    def confirm_url(self, ref: MailRef) -> str:
        """The page that asks whether the recipient consents."""
        return f"{self._base_url}/c/{self.token(LinkKind.CONFIRM, ref)}"

    def message_id(self, ref: MailRef, domain: str) -> str:
        """The Message-ID with its brackets, so that a resend is the same message and a bounce names its mail."""
        return f"<{self.token(LinkKind.MESSAGE, ref)}@{domain}>"

    def bounce_address(self, ref: MailRef, domain: str) -> str:
        """The envelope's sender, of this mail alone (VERP): whatever comes back to it is about this mail."""
        return f"b+{self.token(LinkKind.BOUNCE, ref)}@{domain}"

    def _fields(self, kind: LinkKind, shape: struct.Struct, token: str) -> tuple[int, ...] | None:
        if not _TOKEN.fullmatch(token):
            return None
        content = base64.urlsafe_b64decode(token[1:] + "=" * (-(len(token) - 1) % 4))
        if len(content) != shape.size + _SIGNATURE_SIZE:
            return None
        key_id, *fields = shape.unpack(content[: shape.size])
        if (key_id, kind) not in self._begun:
            return None
        # The whole token is compared: base64 has spare bits, and one mail shall have one token.
        signed = self._signed(key_id, kind, content[: shape.size])
        return tuple(fields) if hmac.compare_digest(token, signed) else None

    def _signed(self, key_id: int, kind: LinkKind, payload: bytes) -> str:
        signing = self._begun[key_id, kind].copy()
        signing.update(payload)
        signature = signing.digest()[:_SIGNATURE_SIZE]
        return kind + base64.urlsafe_b64encode(payload + signature).decode().rstrip("=")


def _key_of(kind: LinkKind, secret: bytes) -> bytes:
    return hmac.digest(secret, f"serienmail {kind.name.lower()}".encode(), "sha256")
