"""One mail to one recipient in one stage, on its way through the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from serienmail.domain.states import DeliveryState


@dataclass(frozen=True, slots=True)
class StageKey:
    """A stage of a mass mail: 0 for the mass mail itself, 1–3 for its follow-ups."""

    mass_mail_id: str
    stage: int


@dataclass(frozen=True, slots=True)
class SliceRange:
    """A range of ``seq`` of one stage, both ends included; at most ``slice_size`` of its rows are due."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a stage can do next: slices that are due, else when to look again, else nothing: it is over.

    reason: why nothing is due before ``wake_at``, in words for operators, without personal data.
    progress: how many rows are in each state.
    """

    slices: tuple[SliceRange, ...] = ()
    wake_at: datetime | None = None
    reason: str = ""
    progress: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SliceJob:
    """One send activity's work.

    epoch: of the start of sending that ordered it; a newer one makes its claims fail.
    template: ``name@revision``; account: its name in the settings.
    measured: the mass mail measures opens (each recipient must agree besides).
    opted_in_only: who withdrew the opt-in since gets none.
    """

    key: StageKey
    epoch: int
    range: SliceRange
    template: str
    account: str
    measured: bool
    opted_in_only: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """A ledger row that this process alone may hand over, with all its mail needs.

    token: 32 hexadecimal digits, random for each claim; outcomes match by it.
    number: the mass mail's number, for signed links.
    tracked: the pixel goes in: the mass mail measures opens and this recipient agreed to it.
    contact: merge fields; empty fields are empty strings or None.
    attempts: hand-overs so far, this one included.
    hand_over_by: seconds on CLOCK_BOOTTIME; a mail whose final dot isn't written by then must not go any more.
    """

    key: StageKey
    seq: int
    token: str
    number: int
    address: str = field(repr=False)
    contact: Mapping[str, Any] = field(repr=False)
    tracked: bool
    message_id: str
    dated_at: datetime
    attempts: int = 1
    hand_over_by: float | None = None


class Verdict(StrEnum):
    """What the server's answer means for one mail."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"  # 4xx: later again
    REJECTED = "rejected"  # 5xx: never
    FAILED = "failed"  # could not be built or transmitted as it is
    IN_DOUBT = "in_doubt"  # handed over, answer never seen


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict with the server's own words, which stay in the database."""

    verdict: Verdict
    reply: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a claimed row.

    state: sent, deferred, rejected, failed, unknown; or pending: nothing was handed over, the claim is given back.
    reply: the server's own words, for people; stays in the database.
    next_try_at: for deferred.
    at: when the answer was seen.
    """

    key: StageKey
    seq: int
    token: str
    state: DeliveryState
    at: datetime
    reply: str = field(default="", repr=False)
    next_try_at: datetime | None = None


CLAIM_TO_DOT = timedelta(minutes=5)
"""A process that slept longer than this with a claim in hand gives it back: others may have judged the row by now."""
HAND_OVER_LIMIT = timedelta(minutes=20)
"""A row handed over longer ago than this, without an outcome, is in doubt (claim to dot 5 min, dot to reply 10 min)."""

_TRIES_AFTER = (timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=4), timedelta(hours=24))


def next_try_at(attempts: int, now: datetime) -> datetime | None:
    """When a deferred mail is tried again; None after the last try. Rounded up to a minute, so that tries gather."""
    if attempts > len(_TRIES_AFTER):
        return None
    exact = now + _TRIES_AFTER[attempts - 1]
    return exact + (-(exact - datetime.min.replace(tzinfo=exact.tzinfo)) % timedelta(minutes=1))


def outcome(claimed: Claimed, answer: Answer, now: datetime) -> Outcome:
    """What the ledger keeps of an answer."""
    state = {
        Verdict.ACCEPTED: DeliveryState.SENT,
        Verdict.DEFERRED: DeliveryState.DEFERRED,
        Verdict.REJECTED: DeliveryState.REJECTED,
        Verdict.FAILED: DeliveryState.FAILED,
        Verdict.IN_DOUBT: DeliveryState.UNKNOWN,
    }[answer.verdict]
    again = next_try_at(claimed.attempts, now) if state is DeliveryState.DEFERRED else None
    if state is DeliveryState.DEFERRED and again is None:
        state = DeliveryState.FAILED
    return Outcome(claimed.key, claimed.seq, claimed.token, state, now, answer.reply, again)


def given_back(claimed: Claimed, now: datetime) -> Outcome:
    """Nothing was handed over: the row is as it was."""
    return Outcome(claimed.key, claimed.seq, claimed.token, DeliveryState.PENDING, now)


@dataclass(frozen=True, slots=True)
class Counts:
    """A stage in numbers. ``excluded`` is by reason code, ``by_state`` by the recipient's state.

    opened and not_opened count only recipients who are measured.
    """

    selected: int = 0
    excluded: Mapping[str, int] = field(default_factory=dict)
    by_state: Mapping[str, int] = field(default_factory=dict)
    opened: int = 0
    not_opened: int = 0
    unsubscribed: int = 0

    def of(self, state: DeliveryState) -> int:
        """How many rows are in this state."""
        return self.by_state.get(state.value, 0)

    @property
    def will_receive(self) -> int:
        """Everybody who isn't excluded."""
        return self.selected - sum(self.excluded.values())
