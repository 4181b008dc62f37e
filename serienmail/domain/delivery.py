"""One mail to one recipient in one stage, on its way through the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
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
    """

    slices: tuple[SliceRange, ...] = ()
    wake_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A ledger row that this process alone may hand over, with all its mail needs.

    token: 32 hexadecimal digits, random for each claim; outcomes match by it.
    number: the mass mail's number, for signed links.
    tracked: the pixel goes in: the mass mail measures opens and this recipient agreed to it.
    contact: merge fields; empty fields are empty strings or None.
    """

    key: StageKey
    seq: int
    token: str
    number: int
    address: str
    contact: Mapping[str, Any] = field(repr=False)
    tracked: bool
    message_id: str
    dated_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a claimed row.

    state: sent, deferred, rejected, failed, unknown; or pending: nothing was handed over, the claim is given back.
    reply: the server's own words, for people; stays in the database.
    next_try_at: for deferred.
    """

    key: StageKey
    seq: int
    token: str
    state: DeliveryState
    reply: str = ""
    next_try_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """A stage in numbers. ``excluded`` is by reason code."""

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
