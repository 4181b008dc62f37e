"""Mails whose answer nobody saw, and what the mail server's own record says about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from serienmail.domain.delivery import CLAIM_TO_DOT, StageKey
from serienmail.domain.states import DeliveryState

TRACED_AFTER = CLAIM_TO_DOT + timedelta(seconds=30)
"""From here on nobody writes a claimed mail's final dot any more: the record can show that it never came."""
TRACED_FOR = timedelta(minutes=20)
"""A stage whose mails are all decided but for some in doubt waits so long for the record to decide them too."""


class Finding(StrEnum):
    """What a mail server's own record says about one mail."""

    ACCEPTED = "accepted"
    NOT_ACCEPTED = "not_accepted"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A ledger row whose claim can lead to nothing any more, and whose outcome isn't known.

    message_id: with its angle brackets. since: its first claim; no try of this mail is older.
    """

    key: StageKey
    seq: int
    token: str
    message_id: str
    since: datetime


def settled(findings: Mapping[str, Finding], doubt: Doubt) -> DeliveryState | None:
    """The state that a finding proves: sent, or pending again; None if it proves nothing.

    findings: by Message-ID; one that is missing is unclear.
    """
    match findings.get(doubt.message_id):
        case Finding.ACCEPTED:
            return DeliveryState.SENT
        case Finding.NOT_ACCEPTED:
            return DeliveryState.PENDING
        case _:
            return None
