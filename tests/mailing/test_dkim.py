"""Signatures are right if dkimpy, which is somebody else's work, says so."""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as rsa_key
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from serienmail.domain.errors import EnvironmentFault
from serienmail.mailing.account import Account
from serienmail.mailing.dkim import DkimKey, DkimSigner, body_hash
from serienmail.settings import load_settings

RSA = DkimKey(domain="example.org", selector="rsa", private_key=rsa_key(65537, 2048))
ED25519 = DkimKey(domain="example.org", selector="ed", private_key=Ed25519PrivateKey.generate())
DATED = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
HEADERS = (
    b"From: =?utf-8?b?TcO8bGxlcg==?= <news@example.org>\r\n",
    b"Reply-To: team@example.org\r\n",
    b"To: Ada <ada@example.com>\r\n",
    b"Subject: Autumn is\r\n here \t at   last\r\n",
    b"Date: " + format_datetime(DATED).encode() + b"\r\n",
    b"Message-ID: <1@example.org>\r\n",
    b"List-Id: <mass-mail-1.example.org>\r\n",
    b"List-Unsubscribe: <https://mail.example.org/u/1>\r\n",
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
)
BODY = b"Good day,  \r\n\tautumn\t is  here.\r\n \r\n\r\n"


def public_part(key: DkimKey) -> bytes:
    """The TXT record: RSA as SubjectPublicKeyInfo, Ed25519 as the bare key (RFC 8463 4.2)."""
    public = key.private_key.public_key()
    if key.algorithm == "ed25519-sha256":
        return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw))
    info = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(info)


DNS: Mapping[bytes, bytes] = {
    f"{key.selector}._domainkey.example.org.".encode(): public_part(key) for key in (RSA, ED25519)
}


def verified(mail: bytes, signatures: int = 1) -> bool:
    judge = dkim.DKIM(mail)
    try:
        return all(judge.verify(idx=i, dnsfunc=lambda name, timeout=5: DNS.get(name)) for i in range(signatures))
    except dkim.ValidationError:  # its word for another body, while a changed header is just False
        return False


def mail_of(headers: tuple[bytes, ...] = HEADERS, body: bytes = BODY) -> bytes:
    return b"".join(headers) + b"\r\n" + body


def signed(mail: bytes, *keys: DkimKey) -> bytes:
    return DkimSigner(keys or (ED25519,)).sign(mail) + mail


def pem(key: PrivateKeyTypes) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize("key", [RSA, ED25519], ids=lambda key: key.algorithm)
def test_a_signed_mail_verifies(key: DkimKey) -> None:
    assert verified(signed(mail_of(), key))


def test_both_kinds_of_key_sign_one_mail_and_both_signatures_verify() -> None:
    mail = signed(mail_of(), RSA, ED25519)
    assert mail.count(b"DKIM-Signature:") == 2
    assert verified(mail, signatures=2)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"autumn\t is", b"winter is"),
        (b"Autumn is", b"Winter is"),
        (b"ada@example.com", b"eve@example.com"),
        (b"/u/1", b"/u/2"),
        (b"One-Click", b"Two-Clicks"),
        (b"team@example.org", b"team@example.net"),
    ],
)
def test_a_change_on_the_way_breaks_the_signature(old: bytes, new: bytes) -> None:
    mail = signed(mail_of())
    assert not verified(mail.replace(old, new))


@pytest.mark.parametrize("name", [b"From", b"To", b"Subject", b"Date", b"Message-ID", b"List-Unsubscribe", b"Reply-To"])
def test_a_second_header_put_in_front_breaks_the_signature(name: bytes) -> None:
    assert not verified(name + b": other@example.net\r\n" + signed(mail_of()))


def test_something_appended_to_the_body_breaks_the_signature() -> None:
    assert not verified(signed(mail_of()) + b"and one thing more\r\n")
    assert b" l=" not in signed(mail_of())


def test_spaces_that_a_relay_changes_do_not_break_the_signature() -> None:
    relayed = (
        signed(mail_of())
        .replace(b"  \r\n\tautumn\t is  here", b"\r\n autumn is here")
        .replace(b"\r\n here \t", b" here")
    )
    assert verified(relayed + b"\r\n\r\n")


def test_a_resend_is_signed_with_the_same_bytes_in_lines_that_any_server_takes() -> None:
    header = DkimSigner((RSA, ED25519)).sign(mail_of())
    assert header == DkimSigner((RSA, ED25519)).sign_headers(HEADERS, BODY, DATED)
    assert f"t={int(DATED.timestamp())};".encode() in header
    assert max(map(len, header.split(b"\r\n"))) <= 78
    assert header.endswith(b"\r\n")


def test_all_that_a_mailbox_shows_or_acts_on_is_signed_against_additions() -> None:
    tag = re.search(rb" h=(.*?);", DkimSigner((ED25519,)).sign(mail_of()), re.DOTALL)
    assert tag is not None
    names = re.sub(rb"\s", b"", tag[1]).split(b":")
    assert {name: names.count(name) for name in set(names)} == {header.split(b":")[0].lower(): 2 for header in HEADERS}


def test_without_a_list_header_one_cannot_be_added() -> None:
    mail = signed(mail_of(HEADERS[:6]))
    assert verified(mail)
    assert not verified(b"List-Unsubscribe: <https://evil.example>\r\n" + mail)


def test_the_key_is_the_one_of_the_from_domain_or_the_nearest_above_it() -> None:
    below = DkimKey(domain="News.Example.org", selector="news", private_key=ED25519.private_key)
    signer = DkimSigner((RSA, below))

    def domain_for(address: bytes) -> list[bytes]:
        return re.findall(rb" d=(.*?);", signer.sign_headers((b"From: " + address + b"\r\n",), b"", DATED))

    assert domain_for(b"a@example.org") == [b"example.org"]
    assert domain_for(b'"x@example.net" <a@EXAMPLE.ORG>') == [b"example.org"]
    assert domain_for(b"<a@mail.news.example.org>") == [b"news.example.org"]
    assert domain_for(b"a@badexample.org") == []
    assert domain_for(b"nobody") == []


def test_an_empty_body_has_the_hash_that_the_standard_names() -> None:
    assert (
        body_hash(b"") == body_hash(b" \r\n\r\n") == b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    )  # RFC 6376 3.4.4


LINE = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]) | st.sampled_from(" \t"), max_size=90
).map(str.encode)
FOLDED = st.lists(LINE, min_size=1, max_size=4).map(lambda lines: b"\r\n ".join(b"x" + line for line in lines))
BODIES = st.lists(LINE | st.just(b""), max_size=8).map(lambda lines: b"".join(line + b"\r\n" for line in lines))
NAMES = st.from_regex(r"\A[A-Za-z][A-Za-z0-9-]{0,40}\Z").filter(
    lambda name: name.lower() not in ("from", "date", "dkim-signature")
)


@given(st.lists(st.tuples(NAMES | st.sampled_from(["X-Twice", "x-twice"]), FOLDED), max_size=6), BODIES)
def test_any_mail_verifies_once_signed(others: list[tuple[str, bytes]], body: bytes) -> None:
    fields = tuple(f"{name}: ".encode() + value + b"\r\n" for name, value in others)
    assert verified(signed(mail_of((HEADERS[0], HEADERS[4], *fields), body)))


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1))
def test_an_address_beyond_ascii_is_signed_as_it_stands(local: str) -> None:
    to = b"To: <" + local.encode() + b"@example.com>\r\n"
    assert verified(signed(mail_of((*HEADERS[:2], to, *HEADERS[3:]))))


def account(**key: str) -> Account:
    settings = {"host": "localhost", "from_address": "news@example.org", "dkim": [{"selector": "s", **key}]}
    return Account.model_validate(settings)


def test_an_account_reads_its_keys_as_text_or_from_a_file(tmp_path: Path) -> None:
    text = pem(ED25519.private_key)
    (tmp_path / "key.pem").write_text(text)
    for source in (text, str(tmp_path / "key.pem")):
        (key,) = account(domain="example.org", private_key=source).dkim
        assert (key.algorithm, public_part(key)) == ("ed25519-sha256", public_part(ED25519))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----", "neither an unencrypted PEM key"),
        ("/nowhere/SECRET.pem", "nor the path of a file"),
        (pem(rsa_key(65537, 1024)), "at least 2048 bits"),
        (pem(ec_key(SECP256R1())), "neither an RSA nor an Ed25519 key"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_and_not_repeated(source: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason) as refusal:
        account(domain="example.org", private_key=source)
    assert source not in str(refusal.value)
    assert "SECRET" not in str(refusal.value)


def test_keys_for_another_domain_than_the_account_s_are_refused() -> None:
    with pytest.raises(ValidationError, match="none of its DKIM keys is for the domain of from_address"):
        account(domain="example.net", private_key=pem(ED25519.private_key))


def test_at_start_a_bad_key_is_one_sentence_that_names_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERIENMAIL_LINK_KEY", "k" * 32)
    (tmp_path / "serienmail.toml").write_text(
        "[accounts.main]\nhost = 'localhost'\nfrom_address = 'news@example.org'\n"
        "[[accounts.main.dkim]]\ndomain = 'example.org'\nselector = 's'\nprivate_key = 'SECRET'\n"
    )
    with pytest.raises(EnvironmentFault, match=r"^SERIENMAIL_ACCOUNTS__MAIN__DKIM__0__PRIVATE_KEY is wrong: ") as fault:
        load_settings()
    assert "SECRET" not in str(fault.value)


def test_a_key_does_not_show_when_it_is_printed() -> None:
    assert "private" not in repr(ED25519)
