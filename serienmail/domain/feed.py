"""What other systems are told about each mail, in one order that never changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from serienmail.domain.states import DeliveryState

OUTCOMES = {
    DeliveryState.SENT: "handed_over",
    DeliveryState.DEFERRED: "deferred",
    DeliveryState.REJECTED: "rejected",
    DeliveryState.FAILED: "failed",
    DeliveryState.UNKNOWN: "in_doubt",
}
"""What a mail's state is called when it is told."""

_MACHINE = "machine_"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEvent:
    """Something that happened to one mail.

    id: its own for ever. kind: handed_over, deferred, rejected, failed, in_doubt, delivered, bounced, opened, clicked,
    unsubscribed, subscribed, complained, replied or another word of ``domain.feedback.Happening``.
    machine: a program opened or clicked, no person; detail says what it was known by.
    recipient: the place in the stage; contact: the CRM's number, empty if there is no such contact any more.
    link: that was clicked. detail: a bounce's severity, an opt-out's topic, or what a server answered.
    """

    id: int
    kind: str
    machine: bool
    at: datetime
    mass_mail: str
    stage: int
    recipient: int
    contact: str
    link: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Some events. next: where to go on, also if there is nothing yet; more: there is, already now."""

    events: Sequence[FeedEvent]
    next: str
    more: bool


def told_as(kind: str) -> tuple[str, bool]:
    """An event's kind as it is told, and whether a machine did it."""
    return kind.removeprefix(_MACHINE), kind.startswith(_MACHINE)
