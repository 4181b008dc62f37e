"""Signed links: read back as written, and worthless otherwise."""

import base64
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serienmail.domain.errors import EnvironmentFault
from serienmail.mailing.links import LinkKind, Links, MailRef

OLD, NEW = b"o" * 32, b"n" * 32
LINKS = Links("https://mail.example.com/", OLD)
REF = MailRef(number=7, stage=2, seq=123_456)
REFS = st.builds(MailRef, st.integers(0, 2**32 - 1), st.integers(0, 255), st.integers(0, 2**32 - 1))


@given(kind=st.sampled_from(LinkKind), ref=REFS)
def test_a_token_is_read_back_as_it_was_written(kind: LinkKind, ref: MailRef) -> None:
    token = LINKS.token(kind, ref)
    assert len(token) == 36
    assert LINKS.read(kind, token) == ref


@given(kind=st.sampled_from(LinkKind), ref=REFS)
def test_a_token_ends_in_the_hmac_of_what_it_says(kind: LinkKind, ref: MailRef) -> None:
    content = base64.urlsafe_b64decode(LINKS.token(kind, ref)[1:] + "=")
    key = hmac.digest(OLD, f"serienmail {kind.name.lower()}".encode(), "sha256")
    assert content[10:] == hmac.digest(key, content[:10], "sha256")[:16]


def test_a_token_is_worth_nothing_as_another_kind() -> None:
    token = LINKS.token(LinkKind.OPEN, REF)
    assert LINKS.read(LinkKind.UNSUBSCRIBE, token) is None
    assert LINKS.read(LinkKind.UNSUBSCRIBE, "u" + token[1:]) is None


@given(st.text() | st.text("uABCabc019_-=+/", min_size=34, max_size=38))
def test_garbage_is_no_token(garbage: str) -> None:
    assert LINKS.read(LinkKind.UNSUBSCRIBE, garbage) is None


def test_a_token_changed_in_any_character_is_refused() -> None:
    token = LINKS.token(LinkKind.UNSUBSCRIBE, REF)
    for place in range(len(token)):
        for character in "abcQZ059_-":
            changed = token[:place] + character + token[place + 1 :]
            assert changed == token or LINKS.read(LinkKind.UNSUBSCRIBE, changed) is None


def test_old_links_work_while_keys_are_rotated_and_new_ones_carry_the_new_key() -> None:
    rotated = Links("https://mail.example.com", {0: OLD, 1: NEW})
    old = LINKS.token(LinkKind.UNSUBSCRIBE, REF)
    new = rotated.token(LinkKind.UNSUBSCRIBE, REF)
    assert rotated.read(LinkKind.UNSUBSCRIBE, old) == rotated.read(LinkKind.UNSUBSCRIBE, new) == REF
    assert LINKS.read(LinkKind.UNSUBSCRIBE, new) is None


def test_links_and_message_id_carry_the_token() -> None:
    assert LINKS.pixel_url(REF) == f"https://mail.example.com/o/{LINKS.token(LinkKind.OPEN, REF)}.gif"
    assert LINKS.unsubscribe_url(REF) == f"https://mail.example.com/u/{LINKS.token(LinkKind.UNSUBSCRIBE, REF)}"
    assert LINKS.message_id(REF, "example.com") == f"<{LINKS.token(LinkKind.MESSAGE, REF)}@example.com>"


def test_a_short_key_is_refused() -> None:
    with pytest.raises(EnvironmentFault):
        Links("https://mail.example.com", b"secret")
