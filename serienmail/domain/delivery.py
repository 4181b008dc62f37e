"""One mail to one recipient in one stage, on its way through the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from serienmail.domain.record import record
from serienmail.domain.states import DeliveryState


@dataclass(frozen=True, slots=True)
class StageKey:
    """A stage of a mass mail: 0 for the mass mail itself, 1–3 for its follow-ups."""

    mass_mail_id: str
    stage: int


@dataclass(frozen=True, slots=True)
class MailRef:
    """One mail to one recipient: the mass mail's number, the stage, and the recipient's place in it.

    Or a request for consent: its number, in a stage which no mass mail has.
    """

    number: int
    stage: int
    seq: int


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

    @property
    def out(self) -> int:
        """How many mails are sent; it never decreases."""
        return self.progress.get(DeliveryState.SENT, 0)

    def waiting_for_others(self, at: datetime | None) -> "Plan":
        """The plan of a stage that others may join then; None: nobody will."""
        if at is None or self.slices:
            return self
        others = "others get it so long after their own open or click"
        return replace(self, wake_at=min(at, self.wake_at or at), reason=", ".join(filter(None, (self.reason, others))))


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


@record
class Claimed:
    """A ledger row that this process alone may hand over, with all its mail needs.

    token: 32 hexadecimal digits, random for each claim; outcomes match by it.
    number: the mass mail's number, for signed links.
    tracked: the pixel goes in: the mass mail measures opens and this recipient agreed to it.
    contact: merge fields; empty fields are empty strings or None.
    attempts: hand-overs so far, this one included.
    hand_over_by: seconds on CLOCK_BOOTTIME; a mail whose final dot isn't written by then must not go any more.
    account: its name; provider: who receives the mail.
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
    account: str = ""
    provider: str = ""


class Verdict(StrEnum):
    """What the server's answer means for one mail."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"  # 4xx: later again
    REJECTED = "rejected"  # 5xx: never
    FAILED = "failed"  # could not be built or transmitted as it is
    UNFILLED = "unfilled"  # a placeholder that was filled when it was checked is empty by now
    IN_DOUBT = "in_doubt"  # handed over, answer never seen


class Pause(StrEnum):
    """What has to wait because of an answer."""

    NONE = "none"
    PROVIDER = "provider"
    ACCOUNT = "account"
    STAGE_FOR_PROVIDER = "stage-for-provider"  # this mass mail's stage, at this provider only


USUAL_TRIES = (timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=4), timedelta(hours=24))
"""How long after each try of a deferred mail the next one is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict, the server's own words, which stay in the database, and what else follows.

    codes: the answer's basic and enhanced code, which may be shown to anybody.
    suppress: no mail goes to this address any more. pause: what has to wait; for the provider's sake uses up no try.
    tries_after: how long after each try the next one is. give_up_after: counted from the first try; None: never.
    """

    verdict: Verdict
    reply: str = field(default="", repr=False)
    codes: str = ""
    suppress: bool = False
    pause: Pause = Pause.NONE
    tries_after: tuple[timedelta, ...] = USUAL_TRIES
    give_up_after: timedelta | None = None


@record
class Outcome:
    """What became of a claimed row.

    state: sent, deferred, rejected, failed, unknown; excluded: a placeholder is empty by now; or pending: nothing was
    handed over, the claim is given back.
    reply: the server's own words, for people; stays in the database.
    next_try_at: for deferred.
    at: when the answer was seen.
    used_up: tries: 0 if it was not the mail's turn yet. account, provider: whose answer it was.
    suppress, pause, codes: as in the answer.
    """

    key: StageKey
    seq: int
    token: str
    state: DeliveryState
    at: datetime
    reply: str = field(default="", repr=False)
    next_try_at: datetime | None = None
    used_up: int = 1
    account: str = ""
    provider: str = ""
    suppress: bool = False
    pause: Pause = Pause.NONE
    codes: str = ""


CLAIM_TO_DOT = timedelta(minutes=5)
"""A process that slept longer than this with a claim in hand gives it back: others may have judged the row by now."""
HAND_OVER_LIMIT = timedelta(minutes=20)
"""A row handed over longer ago than this, without an outcome, is in doubt (claim to dot 5 min, dot to reply 10 min)."""

_PROVIDER_AGAIN = timedelta(minutes=1)
"""A mail that a provider had no room for is due again this soon; the provider's own pause may be longer."""


def next_try_at(attempts: int, now: datetime, tries_after: Sequence[timedelta] = USUAL_TRIES) -> datetime | None:
    """When a deferred mail is tried again; None after the last try. Rounded up to a minute, so that tries gather."""
    return _full_minute(now + tries_after[attempts - 1]) if attempts <= len(tries_after) else None


def _full_minute(exact: datetime) -> datetime:
    return exact + (-(exact - datetime.min.replace(tzinfo=exact.tzinfo)) % timedelta(minutes=1))


_STATES = {
    Verdict.ACCEPTED: DeliveryState.SENT,
    Verdict.DEFERRED: DeliveryState.DEFERRED,
    Verdict.REJECTED: DeliveryState.REJECTED,
    Verdict.FAILED: DeliveryState.FAILED,
    Verdict.UNFILLED: DeliveryState.EXCLUDED,
    Verdict.IN_DOUBT: DeliveryState.UNKNOWN,
}


def outcome(claimed: Claimed, answer: Answer, now: datetime) -> Outcome:
    """What the ledger keeps of an answer."""
    state = _STATES[answer.verdict]
    again = _again(claimed, answer, now) if state is DeliveryState.DEFERRED else None
    if state is DeliveryState.DEFERRED and again is None:
        state = DeliveryState.FAILED
    return Outcome(
        key=claimed.key,
        seq=claimed.seq,
        token=claimed.token,
        state=state,
        at=now,
        reply=answer.reply,
        next_try_at=again,
        used_up=0 if answer.pause is Pause.PROVIDER and again else 1,
        account=claimed.account,
        provider=claimed.provider,
        suppress=answer.suppress,
        pause=answer.pause,
        codes=answer.codes,
    )


def _again(claimed: Claimed, answer: Answer, now: datetime) -> datetime | None:
    if answer.give_up_after is not None and now - claimed.dated_at >= answer.give_up_after:
        return None
    if answer.pause is Pause.PROVIDER:
        return _full_minute(now + _PROVIDER_AGAIN)
    return next_try_at(claimed.attempts, now, answer.tries_after)


def given_back(claimed: Claimed, now: datetime) -> Outcome:
    """Nothing was handed over: the row is as it was."""
    return Outcome(
        key=claimed.key,
        seq=claimed.seq,
        token=claimed.token,
        state=DeliveryState.PENDING,
        at=now,
        used_up=0,
        account=claimed.account,
        provider=claimed.provider,
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """A stage in numbers. ``excluded`` is by reason code, ``by_state`` by the recipient's state.

    opened, not_opened, clicked and not_clicked count only recipients who are measured, and only what persons did.
    bounced: of those sent.
    """

    selected: int = 0
    excluded: Mapping[str, int] = field(default_factory=dict)
    by_state: Mapping[str, int] = field(default_factory=dict)
    opened: int = 0
    not_opened: int = 0
    clicked: int = 0
    not_clicked: int = 0
    unsubscribed: int = 0
    bounced: int = 0
    complained: int = 0
    replied: int = 0

    def of(self, state: DeliveryState) -> int:
        """How many rows are in this state."""
        return self.by_state.get(state.value, 0)

    @property
    def will_receive(self) -> int:
        """Everybody who isn't excluded."""
        return self.selected - sum(self.excluded.values())
