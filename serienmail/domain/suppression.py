"""Addresses that get no mass mail: why, about what, and how an erased one is known again without being kept."""

import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from serienmail.domain.exclusion import Exclusion

ALL_TOPICS = ""
"""The topic of a suppression that is for every mass mail."""
_HASH = re.compile(r"hmac-sha256:[0-9a-f]{64}")


class SuppressionReason(StrEnum):
    """Why an address is on the list."""

    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    BY_HAND = "by_hand"
    ERASED = "erased"

    @property
    def exclusion(self) -> Exclusion:
        """The reason that a recipient's row bears."""
        return Exclusion.UNSUBSCRIBED if self is SuppressionReason.UNSUBSCRIBED else Exclusion.SUPPRESSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """One entry of the suppression list.

    address_key: an address's key (``domain.address``), or its keyed hash if its owner was erased.
    topic: of the mass mails that it is for; ALL_TOPICS for every one. source: where it came from, as a mass mail's id.
    """

    address_key: str
    reason: SuppressionReason
    since: datetime
    topic: str = ALL_TOPICS
    source: str = ""


class AddressHash:
    """An address's keyed hash: an address can be compared with it, but nobody without the key can guess from it.

    key: a secret; with another one, erased addresses aren't known again.
    """

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"serienmail erased address", "sha256")  # no link token is ever a hash

    def __call__(self, address_key: str) -> str:
        """``hmac-sha256:`` and 64 hexadecimal digits."""
        return f"hmac-sha256:{hmac.digest(self._key, address_key.encode(), 'sha256').hex()}"


def is_hash(address_key: str) -> bool:
    """Whether this stands for an erased address; no address's key looks like it, for each has an @."""
    return _HASH.fullmatch(address_key) is not None
