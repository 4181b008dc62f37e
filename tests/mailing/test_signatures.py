"""Webhooks are believed only if their provider signed them, lately."""

import base64
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from serienmail.domain.errors import Forged
from serienmail.mailing.signatures import OLDEST, SnsEnvelopes, check_mailgun, check_password, check_sendgrid
from tests.builders import NOON

TOPIC = "arn:aws:sns:eu-central-1:123456789012:bounces"
CERTIFICATE_URL = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-1.pem"
AMAZON = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SENDGRID = ec.generate_private_key(ec.SECP256R1())


def a_certificate(key: rsa.RSAPrivateKey = AMAZON, lasts: timedelta = timedelta(days=30)) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOON - timedelta(days=40)).not_valid_after(NOON + lasts)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


class Amazon:
    """Hands out a certificate, and remembers what was asked for."""

    def __init__(self, certificate: bytes | None = None) -> None:
        self.certificate = certificate or a_certificate()
        self.asked: list[str] = []

    async def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        return self.certificate


def an_envelope(key: rsa.RSAPrivateKey = AMAZON, version: str = "2", **changes: Any) -> dict[str, Any]:
    """As SNS sends it; changes are made before it is signed."""
    envelope = {
        "Type": "Notification", "MessageId": "sns-1", "TopicArn": TOPIC, "Message": '{"eventType": "Delivery"}',
        "Timestamp": NOON.isoformat(), "SignatureVersion": version, "SigningCertURL": CERTIFICATE_URL, **changes,
    }  # fmt: skip
    order = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    signed = "".join(f"{name}\n{envelope[name]}\n" for name in order if name in envelope)
    algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()
    signature = key.sign(signed.encode(), padding.PKCS1v15(), algorithm)
    return {**envelope, "Signature": base64.b64encode(signature).decode()}


async def opened(envelope: Any, amazon: Amazon | None = None) -> Any:
    return json.loads(await SnsEnvelopes(amazon or Amazon()).open(json.dumps(envelope).encode(), TOPIC, NOON))


@pytest.mark.parametrize("more", [{}, {"version": "1"}, {"Subject": "Amazon SES"}])
async def test_what_amazon_signed_is_opened(more: dict[str, str]) -> None:
    assert await opened(an_envelope(**more)) == {"eventType": "Delivery", "id": "sns-1"}


async def test_the_certificate_is_fetched_once() -> None:
    amazon = Amazon()
    envelopes = SnsEnvelopes(amazon)
    for _ in range(2):
        await envelopes.open(json.dumps(an_envelope()).encode(), TOPIC, NOON)
    assert amazon.asked == [CERTIFICATE_URL]


async def test_a_subscription_to_our_topic_is_confirmed_at_amazon() -> None:
    amazon = Amazon()
    url = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription"
    envelope = an_envelope(Type="SubscriptionConfirmation", SubscribeURL=url, Token="t")
    assert await opened(envelope, amazon) == []
    assert amazon.asked == [CERTIFICATE_URL, url]


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-central-1.amazonaws.com/x.pem",
        "https://sns.eu-central-1.amazonaws.com.example.org/x.pem",
        "https://example.org/sns.eu-central-1.amazonaws.com/x.pem",
        "https://sns.eu-central-1.amazonaws.com@example.org/x.pem",
        "https://s3.amazonaws.com/x.pem",
        "https://sns.eu-central-1.amazonaws.com:444/x.pem",
    ],
)
async def test_certificates_and_confirmations_lie_at_amazon_alone(url: str) -> None:
    amazon = Amazon()
    with pytest.raises(Forged):
        await opened(an_envelope(SigningCertURL=url), amazon)
    with pytest.raises(Forged):
        await opened(an_envelope(Type="SubscriptionConfirmation", SubscribeURL=url, Token="t"), amazon)
    assert url not in amazon.asked


async def test_an_envelope_that_amazon_did_not_sign_is_forged() -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    good = an_envelope()
    for bad in (
        an_envelope(key=stranger),
        {**good, "Message": '{"eventType": "Complaint"}'},
        {**good, "Signature": "x"},
        an_envelope(TopicArn=TOPIC + "2"),
        an_envelope(Timestamp=(NOON - OLDEST - timedelta(hours=1)).isoformat()),
        an_envelope(Timestamp=(NOON + timedelta(hours=1)).isoformat()),
        an_envelope(Timestamp="2026-03-02T12:00:00"),
        an_envelope(Type="UnsubscribeConfirmation"),
        {"Type": "Notification"},
        [],
    ):
        with pytest.raises(Forged):
            await opened(bad)
    with pytest.raises(Forged):
        await opened(good, Amazon(a_certificate(lasts=-timedelta(days=1))))


def sendgrid_key(key: Any) -> str:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def sendgrid_headers(signature: bytes, at: int = int(NOON.timestamp())) -> dict[str, str]:
    return {
        "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
        "x-twilio-email-event-webhook-timestamp": str(at),
    }


def test_sendgrid_signs_with_either_kind_of_key() -> None:
    signed = f"{int(NOON.timestamp())}[]".encode()
    elliptic = SENDGRID.sign(signed, ec.ECDSA(hashes.SHA256()))
    check_sendgrid(sendgrid_headers(elliptic), b"[]", sendgrid_key(SENDGRID), NOON)
    edwards = ed25519.Ed25519PrivateKey.generate()
    check_sendgrid(sendgrid_headers(edwards.sign(signed)), b"[]", sendgrid_key(edwards), NOON)


def test_what_sendgrid_did_not_sign_is_forged() -> None:
    at = int(NOON.timestamp())
    old = at - int(OLDEST.total_seconds()) - 1
    sign = ec.ECDSA(hashes.SHA256())
    for headers in (
        {},
        sendgrid_headers(b""),
        sendgrid_headers(SENDGRID.sign(f"{at}[1]".encode(), sign)),
        sendgrid_headers(SENDGRID.sign(f"{old}[]".encode(), sign), at=old),
        sendgrid_headers(ec.generate_private_key(ec.SECP256R1()).sign(f"{at}[]".encode(), sign)),
    ):
        with pytest.raises(Forged):
            check_sendgrid(headers, b"[]", sendgrid_key(SENDGRID), NOON)


def mailgun_body(key: bytes, at: int = int(NOON.timestamp())) -> bytes:
    signature = hmac.digest(key, f"{at}token".encode(), "sha256").hex()
    return json.dumps({"signature": {"timestamp": str(at), "token": "token", "signature": signature}}).encode()


def test_mailgun_signs_with_the_key_of_the_account() -> None:
    check_mailgun(mailgun_body(b"key"), "key", NOON)
    for bad in (mailgun_body(b"other"), mailgun_body(b"key", at=1), b"{}", b"[]", b"", b"[" * 100_000):
        with pytest.raises(Forged):
            check_mailgun(bad, "key", NOON)


def test_providers_that_sign_nothing_know_a_password() -> None:
    check_password({"authorization": "Basic " + base64.b64encode(b"user:pass").decode()}, "user:pass")
    for bad in ("", "Basic", "Basic dXNlcjpwYX", "Bearer dXNlcjpwYXNz", "Basic \xff"):
        with pytest.raises(Forged):
            check_password({"authorization": bad}, "user:pass")
    with pytest.raises(Forged):
        check_password({}, "user:pass")


TEXTS = st.text() | st.text("\x00\xff0123456789.-+eE ²٣\ud800", max_size=30)
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)
HEADERS = st.text(st.characters(max_codepoint=255)) | st.text("0123456789.-+eE =", max_size=30)
ENVELOPE = ["Type", "Message", "MessageId", "Timestamp", "SignatureVersion", "SigningCertURL", "Signature"]


@pytest.mark.parametrize("name", ENVELOPE)
@given(value=VALUES)
@settings(max_examples=30)
async def test_whatever_is_in_an_envelope_of_amazon_it_is_forged(name: str, value: object) -> None:
    with pytest.raises(Forged):
        await opened({**an_envelope(), "Signature": "", name: value})


@given(signature=HEADERS, timestamp=HEADERS, body=st.binary(max_size=100))
@settings(max_examples=100)
def test_whatever_headers_say_they_are_forged(signature: str, timestamp: str, body: bytes) -> None:
    said = {
        "x-twilio-email-event-webhook-signature": signature,
        "x-twilio-email-event-webhook-timestamp": timestamp,
        "authorization": f"Basic {signature}",
    }
    with pytest.raises(Forged):
        check_sendgrid(said, body, sendgrid_key(SENDGRID), NOON)
    with pytest.raises(Forged):
        check_password(said, "user:pass")
