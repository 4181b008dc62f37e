"""A running mass mail with its follow-ups: what it remembers, what it says, and what commands do to it.

Mutable, but without input, output or a clock of its own: its workflow tells it the time and does what it decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from serienmail.domain.audit import AuditRecord, differences
from serienmail.domain.commands import (
    Command,
    Delete,
    Edit,
    Finish,
    Phase,
    Resolution,
    Resolve,
    Restart,
    SendAgain,
    Situation,
    StageStatus,
    Stop,
    edit_stops,
    past_due,
    refusal,
)
from serienmail.domain.mass_mail import MAX_FOLLOW_UPS, AsOf, FollowUp, MassMail
from serienmail.domain.rights import Role, Users
from serienmail.domain.stage_run import StageRun
from serienmail.domain.states import MassMailState
from serienmail.domain.status import Status, state_of

TEMPORAL_UI = "Temporal UI"
"""Who asks if a stop comes without input, as the UI sends it: access to the UI is an administrator's access."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MassMailRun:
    """An order, and how to carry it out.

    administrators, roles: who may do what, as it was at the start. lead: an edit this close to delivery stops the mass
    mail. slice_size: recipients a send activity; None: by their number.
    stopped, epoch, snapshot, version: why and where a run that replaces a lost one waits to go on.
    said: the lost one's last word.
    """

    order: MassMail
    administrators: tuple[str, ...] = ()
    roles: Mapping[str, Role] = field(default_factory=dict)
    lead: timedelta = timedelta(minutes=15)
    slice_size: int | None = None
    stopped: str = ""
    epoch: int = 0
    snapshot: int = 1
    version: int = 0
    said: Status | None = None


class Campaign:
    """One mass mail while it runs.

    stages: 0 and three follow-ups, of which the order uses as many as it has.
    snapshot: which loading of recipients is wanted; loaded: which is there, read at loaded_at.
    ended: when stage 0 was out; follow-ups count their days from it.
    doubts: what people said about mails in doubt, to be carried out.
    """

    def __init__(self, run: MassMailRun, now: datetime) -> None:
        self.order = replace(run.order, due=run.order.due or now)
        used = len(run.order.follow_ups) + 1
        self.stages = [StageRun(n, run.stopped if n < used else "") for n in range(MAX_FOLLOW_UPS + 1)]
        self.snapshot, self.loaded = run.snapshot, 0
        self.loaded_at: datetime | None = None
        self.ended: datetime | None = None
        self.edits = 0
        self.doubts: list[Resolve] = []
        self.version = run.version + 1
        self.stages[0].queued = not run.stopped
        self.finish_asked = self.again_asked = self.deleted = False
        self._run = run
        self._outcome: tuple[MassMailState, str] | None = None
        self._last_command = self._last_refusal = ""
        self._records: list[AuditRecord] = []
        if run.said:
            self._bring_back(run.said)

    def _bring_back(self, said: Status) -> None:
        self.edits, self.ended = said.revision - 1, said.ended
        for known in said.stages:
            self.stages[known.number].bring_back(known)
        self.stages[0].begun |= self._run.epoch > 0  # the last word may have got lost
        self.deleted = self.stages[0].deleted

    @property
    def used_stages(self) -> list[StageRun]:
        """Stage 0 and the follow-ups that are ordered."""
        return self.stages[: len(self.order.follow_ups) + 1]

    def status(self) -> Status:
        """What it says about itself."""
        state, reason = self._state()
        return Status(
            order=self.order,
            state=state,
            revision=self.edits + 1,
            version=self.version,
            ended=self.ended,
            reason=reason,
            stages=tuple(self._statuses().values()),
            last_command=self._last_command,
            last_refusal=self._last_refusal,
        )

    def rule(self, stage: StageRun) -> FollowUp | None:
        """A follow-up's rule; None for stage 0 and for one that an edit took out."""
        return self.order.follow_ups[stage.number - 1] if 0 < stage.number <= len(self.order.follow_ups) else None

    def due(self, stage: StageRun) -> datetime | None:
        """When the stage is due; None while that depends on the mass mail's end."""
        if stage.moved_to:
            return stage.moved_to
        if stage.number == 0:
            return self.order.begins
        rule = self.rule(stage)
        if rule is None:
            return None
        return rule.due(self.ended) if self.ended else rule.on

    def outdated(self, now: datetime) -> bool:
        """Whether its recipients were read before it was due, though the order asks for those of that moment."""
        due = self.due(self.stages[0])
        waited = self.loaded_at is not None and due is not None and self.loaded_at < due <= now
        return waited and self.order.as_of is AsOf.DUE

    def enter(self, stage: StageRun, phase: Phase, reason: str = "", *, queued: bool = False) -> None:
        """A stage goes on to another phase. queued: as soon as a worker takes it up."""
        stage.phase, stage.reason, stage.queued = phase, reason, queued
        self.changed()

    def hear(self, number: int, progress: str, out: int, waits: str) -> bool:
        """What a stage that goes out tells of itself; False if that is its progress alone, which is shown but not kept.

        out: as in StageRun. waits: until when, and why; empty: it sends.
        """
        for stage in self.used_stages:
            if stage.number == number and stage.phase.goes_out:
                stage.progress, stage.out = progress, max(stage.out, out)
                if waits:
                    self.enter(stage, Phase.WAITING_TO_CONTINUE, waits)
                elif stage.queued or stage.phase is Phase.WAITING_TO_CONTINUE:
                    self.enter(stage, Phase.SENDING)
                else:
                    return False
        return True

    def end(self, state: MassMailState, reason: str) -> None:
        """Nothing is due any more, and it is too late for one more follow-up."""
        self._outcome = state, reason
        for stage in self.stages[len(self.used_stages) :]:
            stage.over()
        self.changed()

    def has_acted(self, now: datetime) -> bool:
        """Whether what was commanded shows in the state. Mails in hand, and reading recipients, take their time."""
        if self.deleted:
            return self._outcome is not None and self._outcome[0].is_final
        return not (self.again_asked or self.doubts or any(self._is_to_act(stage, now) for stage in self.used_stages))

    def _is_to_act(self, stage: StageRun, now: datetime) -> bool:
        due = self.due(stage)
        has_to_go = stage.phase is Phase.WAITING and due is not None and due <= now
        return stage.phase is Phase.STOPPING or has_to_go or (stage.deleted and not stage.phase.is_ended)

    def changed(self) -> None:
        """There is something new to say."""
        self.version += 1

    def refusal(self, command: Command, now: datetime) -> str | None:
        """Why this command changes nothing now; None if it is accepted."""
        return refusal(command, self._situation(now))

    def refuse(self, command: Command, why: str, now: datetime) -> None:
        """Remember why a command changed nothing."""
        self._last_refusal = f"{_moment(now)}, {_described(command)}: {why}"
        self.changed()

    def obey(self, command: Command | str, now: datetime) -> None:
        """Carry a command out, or remember why not. A text is the reason why one couldn't even be read."""
        before, state = self.order, self._state()[0]
        refused = command if isinstance(command, str) else self.refusal(command, now) or ""
        if isinstance(command, str):
            self._last_refusal = f"{_moment(now)}: {refused}"
        elif refused:
            self.refuse(command, refused, now)
        else:
            self._last_command = f"{_moment(now)}, {_described(command)}"
            self._carry_out(command, now)
        self.changed()
        self._keep_record(command, now, refused, before, state)

    def take_records(self) -> tuple[AuditRecord, ...]:
        """What was commanded since they were last taken."""
        taken, self._records = tuple(self._records), []
        return taken

    def _keep_record(
        self, command: Command | str, now: datetime, refused: str, before: MassMail, state: MassMailState
    ) -> None:
        old, new = differences(before, self.order)
        if not refused:
            old, new = {"state": state, **old}, {"state": self._state()[0], **new}
        by, act = ("", "unreadable") if isinstance(command, str) else (command.by, _act(command))
        record = AuditRecord(
            at=now, by=by, act=act, about=self.order.id, before=old, after=new, refused=refused, version=self.version
        )
        self._records.append(record)

    def _carry_out(self, command: Command, now: datetime) -> None:
        match command:
            case Edit():
                self._edit(command, now)
            case Stop():
                for stage in self._open_stages(command.stage):
                    stage.stop(f"stopped by {command.by}")
            case Restart():
                self._restart(command, now)
            case Delete():
                for stage in self._open_stages(command.stage):
                    stage.delete(f"deleted by {command.by}")
                self.deleted = self.deleted or not command.stage
            case Finish():  # at once, and so is the next: what comes at the same moment meets the new state
                self.finish_asked = True
                self.end(MassMailState.FINISHED, self._state()[1])
            case SendAgain():
                self.again_asked, self._outcome = True, None
                self.enter(self.stages[0], Phase.SENDING)
            case Resolve():
                self._outcome = None
                self.doubts.append(command)
                if command.outcome is Resolution.RESEND:
                    self.stages[command.stage].phase = Phase.SENDING  # so that another one is refused until it is out

    def _edit(self, command: Edit, now: datetime) -> None:
        too_close = edit_stops(command, self._situation(now))
        before, self.order = self.order, command.apply(self.order)
        self.edits += 1
        for stage in self.stages:
            if _time_of(before, stage) != _time_of(self.order, stage) or (stage.number == 0 and command.due):
                stage.moved_to, stage.at_once = None, False
            if stage not in self.used_stages and not stage.deleted:
                stage.restart()  # nobody could restart a follow-up that was taken out
        if _recipients_of(before) != _recipients_of(self.order) and not self.stages[0].begun:
            self.snapshot += 1
        for stage in self._open_stages(None):
            if stage.number in too_close:
                stage.stop("edited shortly before its time; restart it when it is right")

    def _restart(self, command: Restart, now: datetime) -> None:
        missed = {status.number for status in past_due(self._situation(now), command.stage)}
        for stage in self._open_stages(command.stage):
            if not stage.stopped:
                continue
            if not stage.begun and (stage.number in missed or stage.number == (command.stage or 0)):
                self._move(stage, command.due or (now if command.now else stage.moved_to), command)
            stage.at_once = command.now
            stage.restart()

    def _move(self, stage: StageRun, to: datetime | None, command: Restart) -> None:
        stage.moved_to = to
        if command.due and stage.number == 0 and self.order.local_time:  # each row has a time of its own
            self.order, stage.moved_to = replace(self.order, due=command.due), None
            self.snapshot += 1

    def _state(self) -> tuple[MassMailState, str]:
        if self._outcome is not None:
            return self._outcome
        statuses = self._statuses()
        reasons = [status.reason for status in statuses.values() if status.reason and not status.phase.is_ended]
        return state_of(statuses), reasons[0] if reasons else ""

    def _statuses(self) -> dict[int, StageStatus]:
        return self._statuses_of(self.used_stages)

    def _statuses_of(self, stages: list[StageRun]) -> dict[int, StageStatus]:
        return {stage.number: stage.status(self.due(stage)) for stage in stages}

    def _situation(self, now: datetime) -> Situation:
        return Situation(
            order=self.order,
            state=self._state()[0],
            stages=self._statuses_of(self.stages),
            now=now,
            deleted=self.deleted,
            users=Users(self._run.roles, (*self._run.administrators, TEMPORAL_UI)),
            lead=self._run.lead,
        )

    def _open_stages(self, number: int | None) -> list[StageRun]:
        """The stage of this number, or all; without those that are over or deleted."""
        aimed = [stage for stage in self.used_stages if number in (None, stage.number)]
        return [stage for stage in aimed if not stage.deleted and not stage.phase.is_ended]


def _time_of(order: MassMail, stage: StageRun) -> object:
    if stage.number == 0:
        return order.due
    if stage.number > len(order.follow_ups):
        return None
    rule = order.follow_ups[stage.number - 1]
    return rule.after, rule.on, rule.counted_from


def _recipients_of(order: MassMail) -> tuple[object, ...]:
    """What of an order decides whom it goes to, and whether each can be written to."""
    templates = (order.template, *(rule.template for rule in order.follow_ups))
    local_due = order.due if order.local_time else None  # each row has a time of its own
    return order.selection, order.opted_in_only, order.on_missing, templates, local_due


def _described(command: Command) -> str:
    return f"{_act(command)} by {command.by}"


def _act(command: Command) -> str:
    stage = getattr(command, "stage", None)
    return f"{command.kind.replace('_', ' ')}{f' follow-up {stage}' if stage else ''}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M %Z}"
