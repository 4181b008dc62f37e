"""A mass mail as its workflow sees it, and how it ends."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from serienmail.domain.audit import AuditRecord
from serienmail.domain.commands import Phase, StageStatus
from serienmail.domain.delivery import Counts
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.mass_mail import MassMail
from serienmail.domain.states import DeliveryState, MassMailState


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a workflow says about itself; ids and times, no personal data.

    revision: of the order, from 1, grows with each edit. version: grows with each change of this status.
    ended: when the mass mail itself was out; follow-ups count their days from it.
    reason: why it is stopped or incomplete, in words.
    last_command, last_refusal: what was asked last, by whom, and with which result; empty if nothing was.
    records: what was commanded since the status was last kept, to be kept with it.
    """

    order: MassMail
    state: MassMailState
    revision: int = 1
    version: int = 0
    ended: datetime | None = None
    reason: str = ""
    stages: tuple[StageStatus, ...] = ()
    last_command: str = ""
    last_refusal: str = ""
    records: tuple[AuditRecord, ...] = ()

    @property
    def scheduled_at(self) -> datetime | None:
        """When something is due next; None if nothing is, or that depends on the mass mail's end."""
        return min((stage.due for stage in self.stages if stage.due and stage.phase is Phase.WAITING), default=None)


def as_of(status: Status, now: datetime) -> Status:
    """As people should read it now: one whose time has come, and of which no worker took notice, isn't scheduled."""
    if status.state is MassMailState.SCHEDULED and (due := status.stages[0].due) and due <= now:
        return replace(status, state=MassMailState.WAITING_FOR_PROCESSING)
    return status


def state_of(stages: Mapping[int, StageStatus]) -> MassMailState:
    """The mass mail's state while it isn't at its end, from those of its stages (0 and its follow-ups)."""
    phases = [status.phase for status in stages.values()]
    first = stages[0].phase
    if Phase.STOPPING in phases:
        return MassMailState.STOPPING
    if first is Phase.DELETED:
        return MassMailState.DELETED
    if stages[0].queued:
        return MassMailState.WAITING_FOR_PROCESSING
    if first in _FIRST:
        return _FIRST[first]
    open_phases = [phase for phase in phases if not phase.is_ended]
    if open_phases and all(phase is Phase.STOPPED for phase in open_phases):
        return MassMailState.STOPPED
    return MassMailState.FOLLOWING_UP


_FIRST = {
    Phase.LOADING: MassMailState.LOADING,
    Phase.WAITING: MassMailState.SCHEDULED,
    Phase.SENDING: MassMailState.SENDING,
    Phase.WAITING_TO_CONTINUE: MassMailState.WAITING_TO_CONTINUE,
    Phase.STOPPED: MassMailState.STOPPED,
}


def state_at_the_end(stages: Mapping[int, Counts]) -> tuple[MassMailState, str]:
    """How it ends when nothing is due any more, with the reason in words (product.md, States and R8)."""
    errors = {state: sum(counts.of(state) for counts in stages.values()) for state in _ERROR_WORDS}
    if any(errors.values()):
        words = ", ".join(f"{n} {_ERROR_WORDS[state]}" for state, n in errors.items() if n)
        return MassMailState.INCOMPLETE_WITH_ERRORS, words
    left_out = {
        reason: n for reason, n in stages[0].excluded.items() if n and Exclusion(reason).leaves_incomplete
    }
    if left_out:
        words = ", ".join(f"{n} {Exclusion(reason).words}" for reason, n in left_out.items())
        return MassMailState.INCOMPLETE, words
    return MassMailState.FINISHED_AUTOMATICALLY, ""


_ERROR_WORDS = {
    DeliveryState.REJECTED: "rejected by their servers",
    DeliveryState.FAILED: "failed",
    DeliveryState.UNKNOWN: "in doubt",
    DeliveryState.PENDING: "still due",  # a workflow that was ended by force may leave some; they can be sent again
}
