"""The suppression list's reasons, and hashes that stand for erased addresses."""

import pytest

from serienmail.domain.exclusion import Exclusion
from serienmail.domain.suppression import AddressHash, SuppressionReason, is_hash


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_only_who_unsubscribed_is_called_unsubscribed(reason: SuppressionReason) -> None:
    unsubscribed = reason is SuppressionReason.UNSUBSCRIBED
    assert reason.exclusion is (Exclusion.UNSUBSCRIBED if unsubscribed else Exclusion.SUPPRESSED)


def test_an_address_hash_is_the_same_each_time_and_another_one_with_another_key() -> None:
    hashed = AddressHash(b"k" * 32)
    assert hashed("anna@example.org") == AddressHash(b"k" * 32)("anna@example.org")
    others = (hashed("otto@example.org"), AddressHash(b"l" * 32)("anna@example.org"))
    assert hashed("anna@example.org") not in others


def test_a_hash_is_told_from_an_address() -> None:
    assert is_hash(AddressHash(b"k" * 32)("anna@example.org"))
    assert not is_hash("anna@example.org")
    assert not is_hash("hmac-sha256:anna@example.org")
