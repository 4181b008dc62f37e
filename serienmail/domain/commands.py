"""What people may tell a running mass mail, and who may tell it when (product.md, F5, R6, R8–R10)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import zip_longest
from typing import Any, Literal

from serienmail.domain.crm_record import CrmRecord
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.mass_mail import Audience, FollowUp, InDoubt, MassMail, OnMissing, check_future, check_order
from serienmail.domain.rights import Users
from serienmail.domain.states import MassMailState
from serienmail.domain.trigger import Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Change what isn't sent yet. None leaves a thing as it is; follow_ups, triggers and tags replace them all."""

    by: str
    kind: Literal["edit"] = "edit"
    name: str | None = None
    template: str | None = None
    selection: str | None = None
    due: datetime | None = None
    follow_ups: tuple[FollowUp, ...] | None = None
    opted_in_only: bool | None = None
    on_missing: OnMissing | None = None
    in_doubt: InDoubt | None = None
    triggers: tuple[Trigger, ...] | None = None
    crm: CrmRecord | None = None
    tags: tuple[str, ...] | None = None

    def apply(self, order: MassMail) -> MassMail:
        """The order with this edit."""
        changes = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("by", "kind")}
        return replace(order, **{name: value for name, value in changes.items() if value is not None})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Send nothing more until a restart. stage: one follow-up alone; None: everything."""

    by: str
    kind: Literal["stop"] = "stop"
    stage: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """Go on where the ledger is. due or now: needed if a stage's time passed while it was stopped."""

    by: str
    kind: Literal["restart"] = "restart"
    stage: int | None = None
    due: datetime | None = None
    now: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Send nothing more, ever. stage: one follow-up alone; None: the mass mail with its follow-ups."""

    by: str
    kind: Literal["delete"] = "delete"
    stage: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """Leave those out who got none; the mass mail can't be changed any more."""

    by: str
    kind: Literal["finish"] = "finish"


@dataclass(frozen=True, slots=True, kw_only=True)
class SendAgain:
    """Look again at everybody who was excluded, failed or rejected; never at anybody sent or in doubt."""

    by: str
    kind: Literal["send_again"] = "send_again"


class Resolution(StrEnum):
    """What somebody found out about a mail in doubt, or decides."""

    SENT = "sent"  # it arrived
    RESEND = "resend"  # it is to be sent again, as the same message


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve:
    """Settle mails in doubt of a stage that is through. recipients: their numbers in it; none: all in doubt."""

    by: str
    outcome: Resolution
    kind: Literal["resolve"] = "resolve"
    stage: int = 0
    recipients: tuple[int, ...] = ()


Command = Edit | Stop | Restart | Delete | Finish | SendAgain | Resolve

MOST_NAMED = 1_000
"""Recipients in one command: workflow histories keep it."""


class Phase(StrEnum):
    """Where a stage is."""

    LOADING = "loading"
    WAITING = "waiting"
    SENDING = "sending"
    WAITING_TO_CONTINUE = "waiting_to_continue"
    STOPPING = "stopping"
    STOPPED = "stopped"
    OVER = "over"
    DELETED = "deleted"

    @property
    def is_ended(self) -> bool:
        """Nothing more comes."""
        return self in (Phase.OVER, Phase.DELETED)

    @property
    def goes_out(self) -> bool:
        """Mails go out, or will go on to by themselves."""
        return self in (Phase.SENDING, Phase.WAITING_TO_CONTINUE)

    @property
    def is_sending(self) -> bool:
        """Mails may be in hand."""
        return self.goes_out or self is Phase.STOPPING


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatus:
    """One stage as people see it.

    due: None while it depends on the mass mail's end. begun: its sending was started once.
    stopped: a stop is in force, even if mails in hand are still being finished (phase ``stopping``).
    deleted: nothing of it will be sent any more, even if mails in hand are still being finished.
    reason: why it is stopped or waits to continue. progress: how many of how many were handed over, while it sends.
    queued: no worker has taken up what its phase says: all are busy, or none runs.
    """

    number: int
    phase: Phase
    due: datetime | None = None
    begun: bool = False
    stopped: bool = False
    deleted: bool = False
    reason: str = ""
    progress: str = ""
    queued: bool = False

    @property
    def words(self) -> str:
        """Its phase, for people."""
        return "waiting for processing" if self.queued else self.phase.replace("_", " ")

    @property
    def is_ended(self) -> bool:
        """Nothing more comes of it, whatever is commanded."""
        return self.deleted or self.phase.is_ended

    @property
    def is_held(self) -> bool:
        """Whether a restart would let it go on."""
        return self.stopped and not self.is_ended

    @property
    def is_untouchable(self) -> bool:
        """Whether it sends and no stop is in force, so that an edit would meet mails in hand."""
        return not self.stopped and self.phase.is_sending


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a rule must know.

    stages: 0 and every possible follow-up, whether the order has it or not.
    deleted: the deletion of everything is accepted. lead: an edit this close to delivery stops the mass mail (R9).
    """

    order: MassMail
    state: MassMailState
    stages: Mapping[int, StageStatus]
    now: datetime
    deleted: bool = False
    users: Users = field(default_factory=Users)
    lead: timedelta = timedelta(minutes=15)


def refusal(command: Command, situation: Situation) -> str | None:
    """Why this command changes nothing now, in one sentence; None if it is accepted."""
    if situation.deleted or situation.state.is_final:
        state = MassMailState.DELETED if situation.deleted else situation.state
        return f"This mass mail is {state.replace('_', ' ')}; it can't be changed any more."
    not_entitled = situation.users.refusal(command.kind, command.by, situation.order.created_by)
    return not_entitled or _RULES[type(command)](command, situation)


def edit_stops(command: Edit, situation: Situation) -> tuple[int, ...]:
    """The stages that must be restarted by hand, since the edit comes so close to their delivery (R9).

    Shortly before the mass mail these are all; later each follow-up is an entry of its own.
    """
    if _is_close(situation.stages[0], situation):
        return tuple(situation.stages)
    before, after = situation.order.follow_ups, command.apply(situation.order).follow_ups
    changed = [number for number, (old, new) in enumerate(zip(before, after, strict=False), start=1) if old != new]
    return tuple(number for number in changed if _is_close(situation.stages[number], situation))


def _is_close(stage: StageStatus, situation: Situation) -> bool:
    before = stage.phase in (Phase.LOADING, Phase.WAITING)
    return before and stage.due is not None and stage.due - situation.now <= situation.lead


def past_due(situation: Situation, stage: int | None) -> list[StageStatus]:
    """The stages a restart would reach whose time has passed."""
    return [
        status
        for status in _aimed_at(situation, stage)
        if status.is_held and not status.begun and status.due is not None and status.due < situation.now
    ]


def _verb(command: Command) -> str:
    return command.kind.replace("_", " ")


def _aimed_at(situation: Situation, stage: int | None) -> list[StageStatus]:
    used = len(situation.order.follow_ups) + 1
    return [status for number, status in situation.stages.items() if number < used and stage in (None, number)]


def _refuse_edit(command: Edit, situation: Situation) -> str | None:
    first, order = situation.stages[0], situation.order
    if first.is_untouchable:
        return f"It is {first.phase.replace('_', ' ')}: stop it first, then edit and restart it."
    edited = command.apply(order)
    unsent = replace(edited, follow_ups=order.follow_ups, name=order.name, tags=order.tags)
    if unsent != order and first.phase.is_ended:
        return "The mass mail itself is out; only its follow-ups, name and tags can still be edited."
    if first.begun and (edited.selection, edited.opted_in_only) != (order.selection, order.opted_in_only):
        return "Some recipients have got their mail already; the selection can't be changed any more."
    if first.begun and command.due is not None:
        return "Its sending has begun, so it has no new time; restart it when it is to go on."
    for number, (old, new) in enumerate(zip_longest(order.follow_ups, edited.follow_ups), start=1):
        stage = situation.stages.get(number)
        if new != old and stage is not None and (stage.begun or stage.is_ended):
            return f"Follow-up {number} has begun or is over; it can't be changed any more."
    if edited == order and command.due is None:
        return "The edit changes nothing; say what is to be different."
    return _invalid(_with_new_times_only(edited, command, order), situation.now)


def _with_new_times_only(edited: MassMail, command: Edit, before: MassMail) -> MassMail:
    """Times that stay as they are may have passed since they were ordered."""
    kept = FollowUp(template=before.template, audience=Audience.RECEIVED, after=timedelta())
    pairs = zip_longest(edited.follow_ups, before.follow_ups[: len(edited.follow_ups)])
    return replace(edited, due=command.due, follow_ups=tuple(kept if new == old else new for new, old in pairs))


def _invalid(order: MassMail, now: datetime) -> str | None:
    try:
        check_order(order, now)
    except InvalidOrder as error:
        return str(error)
    return None


def _refuse_stop(command: Stop, situation: Situation) -> str | None:
    aimed = _aimed_at(situation, command.stage)
    if not aimed:
        return f"There is no stage {command.stage}; see its stages with 'show'."
    if all(status.is_ended for status in aimed):
        return "Nothing is left to stop: everything is out."
    if all(status.is_ended or status.stopped for status in aimed):
        return "It is stopped already; restart it or delete it."
    return None


def _refuse_restart(command: Restart, situation: Situation) -> str | None:
    held = [status for status in _aimed_at(situation, command.stage) if status.is_held]
    if not held:
        return "It isn't stopped, so it can't be restarted."
    if command.due is not None:
        if begun := [status.number for status in held if status.begun]:
            return f"Stage {begun[0]} has begun and would go on at once; restart it alone, without a time."
        try:
            check_future(command.due, situation.now)
        except InvalidOrder as error:
            return str(error)
    missed = past_due(situation, command.stage)
    if missed and command.due is None and not command.now:
        times = ", ".join(f"stage {s.number} was due {s.due:%Y-%m-%d %H:%M %Z}" for s in missed)
        return f"Its time has passed ({times}): restart it with a new time, or with now."
    return None


def _refuse_delete(command: Delete, situation: Situation) -> str | None:
    aimed = _aimed_at(situation, command.stage)
    if not aimed:
        return f"There is no stage {command.stage}; see its stages with 'show'."
    if command.stage is not None and all(status.is_ended for status in aimed):
        return f"Stage {command.stage} is over; nothing of it is left to delete."
    return None


def _refuse_end(command: Finish | SendAgain, situation: Situation) -> str | None:
    if situation.state in (MassMailState.INCOMPLETE, MassMailState.INCOMPLETE_WITH_ERRORS):
        return None
    return f"It isn't through yet, so there is nothing to {_verb(command)}; wait until it is incomplete, or stop it."


def _refuse_resolve(command: Resolve, situation: Situation) -> str | None:
    aimed = _aimed_at(situation, command.stage)
    if not aimed:
        return f"There is no stage {command.stage}; see its stages with 'show'."
    if aimed[0].phase is not Phase.OVER:
        phase = aimed[0].phase.replace("_", " ")
        return f"Stage {command.stage} is {phase}; its mails in doubt can be resolved when it is through."
    if len(command.recipients) > MOST_NAMED:
        return f"{len(command.recipients)} recipients are too many for one command; name {MOST_NAMED} at most, or none."
    return None


_RULES: Mapping[type, Callable[[Any, Situation], str | None]] = {
    Edit: _refuse_edit,
    Stop: _refuse_stop,
    Restart: _refuse_restart,
    Delete: _refuse_delete,
    Finish: _refuse_end,
    SendAgain: _refuse_end,
    Resolve: _refuse_resolve,
}
