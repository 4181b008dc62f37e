"""What a person reads in the Temporal UI: how far it is, what waits for what until when, who said what last."""

from datetime import datetime

from serienmail.domain.commands import Phase, StageStatus
from serienmail.domain.delivery import Plan, SliceRange
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.loading import Loaded
from serienmail.domain.states import DeliveryState
from serienmail.domain.status import Status


def of_mass_mail(status: Status) -> str:
    """The whole mass mail, as Markdown."""
    lines = [f"**{status.order.name}** is **{words(status.state)}**" + (f": {status.reason}" if status.reason else "")]
    lines += ["", "| stage | to | state | due |", "|---|---|---|---|"]
    lines += [_stage_row(status, stage) for stage in status.stages]
    lines += ["", f"created by {status.order.created_by}, account {status.order.account}, revision {status.revision}"]
    if status.last_command:
        lines += ["", f"last command: {status.last_command}"]
    if status.last_refusal:
        lines += ["", f"last refused: {status.last_refusal}"]
    return "\n".join(lines)


def of_delivery(plan: Plan, since: int = 0) -> str:
    """A stage that is being sent: how many of how many; since: outcomes after the plan was made."""
    counted = {state: plan.progress.get(state, 0) for state in DeliveryState}
    total = sum(counted.values()) - counted[DeliveryState.EXCLUDED]
    done = total - sum(counted[s] for s in (DeliveryState.PENDING, DeliveryState.DEFERRED, DeliveryState.HANDING_OVER))
    lines = [f"**{done + since} of {total}** handed over", "", "| at the last count | recipients |", "|---|---|"]
    lines += [f"| {words(state)} | {count} |" for state, count in counted.items() if count]
    if plan.wake_at and not plan.slices:
        lines += ["", f"waits until {moment(plan.wake_at)}: {plan.reason}"]
    return "\n".join(lines)


def of_audience(loaded: Loaded) -> str:
    """A stage's recipients, once they are chosen."""
    lines = [f"**{loaded.counts.will_receive} of {loaded.counts.selected}** will get it"]
    if loaded.counts.excluded:
        lines += ["", "| excluded because | recipients |", "|---|---|"]
        lines += [f"| {Exclusion(code).words} | {n} |" for code, n in sorted(loaded.counts.excluded.items())]
    return "\n".join(lines)


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


def _stage_row(status: Status, stage: StageStatus) -> str:
    rules = status.order.follow_ups
    rule = rules[stage.number - 1] if 0 < stage.number <= len(rules) else None
    audience = words(rule.audience) if rule else "everybody selected" if stage.number == 0 else "–"
    due = moment(stage.due) if stage.due else rule.when if rule else "–"
    why = f" ({stage.reason})" if stage.reason and stage.phase is not Phase.OVER else ""
    return f"| {stage_name(stage.number)} | {audience} | {words(stage.phase)}{why} | {due} |"
