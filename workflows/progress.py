"""What a person reads in the Temporal UI: how far it is, what waits for what until when, who said what last."""

from datetime import datetime

from serienmail.domain.commands import Phase, StageStatus
from serienmail.domain.delivery import Plan, SliceRange
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.loading import Loaded
from serienmail.domain.mass_mail import Audience, FollowUp, Of
from serienmail.domain.states import DeliveryState
from serienmail.domain.status import Status


def of_mass_mail(status: Status) -> str:
    """The whole mass mail, as Markdown; lists, since the UI shows tables without a gap between their columns."""
    lines = [f"**{status.order.name}**: {_with_reason(status.state, status.reason)}", ""]
    lines += [_stage_line(status, stage) for stage in status.stages]
    lines += ["", f"created by {status.order.created_by}, account {status.order.account}, revision {status.revision}"]
    if status.order.tags:
        lines += ["", f"tags: {', '.join(status.order.tags)}"]
    if status.last_command:
        lines += ["", f"last command: {status.last_command}"]
    if status.last_refusal:
        lines += ["", f"last refused: {status.last_refusal}"]
    return "\n".join(lines)


def of_delivery(plan: Plan, since: int = 0) -> str:
    """A stage that is being sent: how many of how many; since: outcomes after the plan was made."""
    lines = [f"**{handed_over(plan, since)}**"]
    if not plan.slices:  # while slices run, the plan's own numbers are old
        lines += ["", *(f"- {words(state)}: {count}" for state, count in plan.progress.items() if count)]
    if plan.wake_at and not plan.slices:
        lines += ["", f"waits until {moment(plan.wake_at)}: {plan.reason}"]
    return "\n".join(lines)


def handed_over(plan: Plan, since: int = 0) -> str:
    """How many of how many."""
    due = sum(plan.progress.get(state, 0) for state in _DUE)
    total = sum(plan.progress.values()) - plan.progress.get(DeliveryState.EXCLUDED, 0)
    return f"{total - due + since} of {total} handed over"


_DUE = (DeliveryState.PENDING, DeliveryState.DEFERRED, DeliveryState.HANDING_OVER)


def of_audience(loaded: Loaded) -> str:
    """A stage's recipients, once they are chosen."""
    later = "; others follow, each at their own time" if loaded.looks_again else ""
    lines = [f"**{loaded.counts.will_receive} of {loaded.counts.selected}** will get it{later}"]
    if loaded.counts.excluded:
        lines += ["", "excluded:", ""]
        lines += [f"- {Exclusion(code).words}: {n}" for code, n in sorted(loaded.counts.excluded.items())]
    return "\n".join(lines)


def size_of(loaded: Loaded) -> str:
    """How many a stage goes to."""
    return f"to {loaded.counts.will_receive} recipients{' so far' if loaded.looks_again else ''}"


def of_slice(rows: SliceRange) -> str:
    """One send activity. Numbers, not people: everybody with access to the UI can read it."""
    return f"recipient {rows.first}" if rows.first == rows.last else f"recipients {rows.first}–{rows.last}"


def stage_name(number: int) -> str:
    """What people call a stage."""
    return f"follow-up {number}" if number else "mass mail"


def words(code: str) -> str:
    """A state in words."""
    return code.replace("_", " ")


def moment(at: datetime) -> str:
    """A time, with its zone."""
    return f"{at:%Y-%m-%d %H:%M %Z}"


def _stage_line(status: Status, stage: StageStatus) -> str:
    rules = status.order.follow_ups
    rule = rules[stage.number - 1] if 0 < stage.number <= len(rules) else None
    audience = f"those who {_audience(rule, stage.number)}" if rule else "everybody selected"
    due = f"due {rule.when}" if rule and (rule.comes_one_by_one or not stage.due) else ""
    due = due or (f"due {moment(stage.due)}" if stage.due else "")
    said = _with_reason(stage.words, "" if stage.phase is Phase.OVER else stage.reason)
    parts = [said, stage.progress if stage.phase.goes_out else "", "" if stage.phase.is_ended else due]
    return f"- **{stage_name(stage.number)}** to {audience}: {', '.join(filter(None, parts))}"


def _audience(rule: FollowUp, number: int) -> str:
    previous = rule.of is Of.PREVIOUS and number > 1
    return f"{_DID[rule.audience]} {stage_name(number - 1) if previous else 'the mass mail'}"


_DID = {
    Audience.RECEIVED: "received",
    Audience.OPENED: "opened",
    Audience.NOT_OPENED: "did not open",
    Audience.CLICKED: "clicked in",
    Audience.NOT_CLICKED: "did not click in",
}


def _with_reason(state: str, reason: str) -> str:
    """Not "stopped: stopped by …"."""
    if reason.startswith(words(state)):
        return f"**{reason}**"
    return f"**{words(state)}**: {reason}" if reason else f"**{words(state)}**"
