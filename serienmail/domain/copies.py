"""Copies of a mass mail for those who answer for it: its author and the responsible employees of its recipients."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serienmail.domain.delivery import Answer, Verdict
from serienmail.domain.states import DeliveryState


@dataclass(frozen=True, slots=True)
class CopyJob:
    """Everybody's copy of one mass mail. by: its author; template: ``name@revision``; account: as in the settings."""

    mass_mail_id: str
    by: str
    template: str
    account: str


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy that this process alone may hand over. token: 32 hexadecimal digits, random for each claim.

    user: who gets it. contact: the merge fields of the recipient whose mail it shows.
    """

    mass_mail_id: str
    user: str
    token: str
    contact: Mapping[str, Any] = field(repr=False)


def state_after(answer: Answer) -> DeliveryState:
    """What becomes of a copy; a deferred one isn't tried again, for its reader has the original at hand."""
    return {
        Verdict.ACCEPTED: DeliveryState.SENT,
        Verdict.IN_DOUBT: DeliveryState.UNKNOWN,
        Verdict.REJECTED: DeliveryState.REJECTED,
    }.get(answer.verdict, DeliveryState.FAILED)
