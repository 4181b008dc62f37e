"""Whether a webhook really came from the provider that it seems to come from, and lately."""

import base64
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from serienmail.domain.errors import Forged

Fetch = Callable[[str], Awaitable[bytes]]
"""Gets an https:// address; raises if it can't."""

OLDEST = timedelta(days=3)
"""Providers try again for a day or so. Something older is a copy; a younger copy is known by its event's id."""
_AHEAD = timedelta(minutes=15)
_AMAZON = re.compile(r"sns\.[a-z0-9-]{3,30}\.amazonaws\.com(\.cn)?")
_SIGNED_BY_SNS = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}

_FORGED = "the webhook isn't signed as its provider signs; check the key in the settings."


def check_password(headers: Mapping[str, str], secret: str) -> None:
    """Basic authentication (RFC 7617), for providers that sign nothing. secret: ``user:password``."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    expected = base64.b64encode(secret.encode()).decode()
    if scheme.lower() != "basic" or not hmac.compare_digest(given.strip().encode(), expected.encode()):
        raise Forged(_FORGED)


def check_mailgun(body: bytes, secret: str, now: datetime) -> None:
    """HMAC-SHA256 of timestamp and token, with the HTTP webhook signing key."""
    try:
        given = json.loads(body)["signature"]
        timestamp, token, signature = (str(given[name]) for name in ("timestamp", "token", "signature"))
        _check_age(datetime.fromtimestamp(int(timestamp), UTC), now)
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
        raise Forged(_FORGED) from None
    expected = hmac.digest(secret.encode(), (timestamp + token).encode(), "sha256").hex()
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        raise Forged(_FORGED)


def check_sendgrid(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> None:
    """ECDSA (P-256, SHA-256) or Ed25519 over timestamp and body. secret: the verification key, DER in base64."""
    timestamp = headers.get("x-twilio-email-event-webhook-timestamp", "")
    try:
        key = load_der_public_key(base64.b64decode(secret))
        signature = base64.b64decode(headers.get("x-twilio-email-event-webhook-signature", ""))
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, timestamp.encode() + body)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        else:
            raise Forged(_FORGED)
        _check_age(datetime.fromtimestamp(int(timestamp), UTC), now)
    except (ValueError, InvalidSignature, OverflowError):
        raise Forged(_FORGED) from None


class SnsEnvelopes:
    """Amazon's notification service, which signs with a certificate that lies at Amazon."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._certificates: dict[str, x509.Certificate] = {}

    async def open(self, body: bytes, topic: str, now: datetime) -> bytes:
        """The message inside, with the envelope's id as its own; an empty list for a subscription, now confirmed.

        topic: the ARN whose messages are taken. Forged if it isn't from there.
        """
        try:
            envelope = json.loads(body)
            names = _SIGNED_BY_SNS[envelope["Type"]]
            if envelope["TopicArn"] != topic:
                raise Forged("the webhook is about another topic than the one in the settings; correct it there.")
            _check_age(datetime.fromisoformat(envelope["Timestamp"]), now)
            certificate = await self._certificate(envelope["SigningCertURL"])
            _check_sns_signature(certificate, envelope, names, now)
            if envelope["Type"] == "SubscriptionConfirmation":
                await self._fetch(_amazons(envelope["SubscribeURL"]))
                return b"[]"
            message = json.loads(envelope["Message"])
            return json.dumps({**message, "id": envelope["MessageId"]}).encode()
        except (ValueError, LookupError, TypeError, AttributeError, InvalidSignature, RecursionError):
            raise Forged(_FORGED) from None

    async def _certificate(self, url: str) -> x509.Certificate:
        if _amazons(url) not in self._certificates:
            pem = await self._fetch(url)
            self._certificates = {url: x509.load_pem_x509_certificate(pem)}  # one: they change once a year
        return self._certificates[url]


def _check_sns_signature(
    certificate: x509.Certificate, envelope: Mapping[str, Any], names: tuple[str, ...], now: datetime
) -> None:
    """"Verifying the signatures of Amazon SNS messages": name and value of each field, a line each."""
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise Forged("the certificate of the webhook has expired; nothing can be concluded from its signature.")
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise Forged(_FORGED)
    signed = "".join(f"{name}\n{envelope[name]}\n" for name in names if name in envelope)
    algorithm = hashes.SHA256() if envelope["SignatureVersion"] == "2" else hashes.SHA1()  # theirs
    key.verify(base64.b64decode(envelope["Signature"]), signed.encode(), padding.PKCS1v15(), algorithm)


def _amazons(url: str) -> str:
    """The address, if it is one of Amazon's notification service; else anybody could sign."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not _AMAZON.fullmatch(parts.netloc):
        raise Forged("the webhook names an address that isn't Amazon's.")
    return url


def _check_age(timestamp: datetime, now: datetime) -> None:
    if not now - OLDEST <= timestamp <= now + _AHEAD:
        raise Forged("the webhook was signed too long ago; it may be a copy.")
