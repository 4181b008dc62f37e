"""What a recipient's opening, click or bounce sets off (product.md, E2 and F6)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256
from math import isfinite
from typing import Any

from serienmail.domain.activity import NewCall, NewTask, check_delay, check_subject
from serienmail.domain.contact import LARGEST_NUMBER, FieldType
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.feedback import UNDELIVERED, Happening

MOST_TRIGGERS = 10
"""Of a mail: the order carries them through every history."""
MOST_UPDATES, MOST_TASKS, MOST_CALLS = 3, 2, 2
LONGEST_VALUE = 1_000
NOT_UPDATED = ("key", "email", "opt_in", "tracking")
"""A trigger changes neither who somebody is nor what they agreed to."""


class On(StrEnum):
    """What sets a trigger off: what a person did, or the mail's return."""

    OPENED = "opened"
    CLICKED = "clicked"
    BOUNCED = "bounced"


@dataclass(frozen=True, slots=True)
class FieldUpdate:
    """A contact's field and what it says from then on; a date as ISO 8601 writes it."""

    field: str
    value: str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """Actions that run once for each recipient, at the first event of its kind.

    link: the target that must be clicked; empty: any. hook: a system of the settings that is told.
    """

    on: On
    link: str = ""
    updates: tuple[FieldUpdate, ...] = ()
    tasks: tuple[NewTask, ...] = ()
    calls: tuple[NewCall, ...] = ()
    hook: str = ""

    @property
    def key(self) -> str:
        """Its name among the mail's triggers, which stays while its actions are edited."""
        return f"{self.on}-{sha256(self.link.encode()).hexdigest()[:8]}" if self.link else self.on.value

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.on} on {self.link}" if self.link else self.on.value

    @property
    def actions(self) -> str:
        """What is done then, for people."""
        done = [f"{update.field} becomes {update.value}" for update in self.updates]
        done += [f"a task '{task.subject}'" for task in self.tasks]
        done += [f"a call '{call.subject}'" for call in self.calls]
        return ", ".join([*done, f"{self.hook} is told"] if self.hook else done)

    def is_set_off_by(self, happening: str, target: str | None) -> bool:
        """Whether an event of this kind is what it waits for. target: of the link that was clicked.

        Who clicks has opened, as in the statistics; what a machine does is an event of another kind.
        """
        match self.on:
            case On.OPENED:
                return happening in (Happening.OPENED, Happening.CLICKED)
            case On.CLICKED:
                return happening == Happening.CLICKED and self.link in ("", target)
            case On.BOUNCED:
                return happening in UNDELIVERED


@dataclass(frozen=True, slots=True)
class Triggered:
    """A trigger that a recipient set off: whose mail it was, and the trigger's key."""

    mass_mail_id: str
    stage: int
    seq: int
    trigger: str


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """How much was done, and whether another system is to be told."""

    updates: int = 0
    tasks: int = 0
    calls: int = 0
    tells: bool = False


@dataclass(frozen=True, slots=True)
class HookNews:
    """What another system is told, and by which hook of the settings.

    id: the same however often it is told. happened: opened, clicked or bounced. module, contact: the CRM's own names
    of the record. link: the target that was clicked; None: none was.
    """

    hook: str
    id: str
    happened: str
    at: datetime
    mass_mail: str
    stage: int
    recipient: int
    module: str
    contact: str
    link: str | None

    def to_document(self) -> Mapping[str, Any]:
        """As the Standard Webhooks specification has it: type, timestamp, data."""
        data = {name: getattr(self, name) for name in ("mass_mail", "stage", "recipient", "module", "contact", "link")}
        return {"type": f"mail.{self.happened}", "timestamp": self.at.isoformat(), "data": data}


def check_triggers(triggers: Sequence[Trigger], *, measured: bool) -> None:
    """InvalidOrder if a mail can't have these. measured: its opens and clicks are."""
    if len(triggers) > MOST_TRIGGERS:
        raise InvalidOrder(f"A mail has {MOST_TRIGGERS} triggers at most; take {len(triggers) - MOST_TRIGGERS} out.")
    keys = [trigger.key for trigger in triggers]
    for trigger in triggers:
        if keys.count(trigger.key) > 1:
            raise InvalidOrder(f"Two triggers wait for '{trigger.words}'; write their actions into one.")
        if trigger.on is not On.BOUNCED and not measured:
            raise InvalidOrder(f"The trigger '{trigger.words}' needs measured = true; say so, or take it out.")
        _check(trigger)


def check_targets(triggers: Iterable[Trigger], targets: Sequence[str]) -> None:
    """InvalidOrder if a trigger waits for a link that can't be clicked. targets: of the mail's measured links."""
    for trigger in triggers:
        if trigger.link and trigger.link not in targets:
            has = f"it has {', '.join(targets)}" if targets else "it has none"
            raise InvalidOrder(f"No measured link of the mail leads to {trigger.link}; choose another ({has}).")


def check_updates(triggers: Iterable[Trigger], fields: Mapping[str, FieldType]) -> None:
    """InvalidOrder if a trigger would write what a field can't hold. fields: every one that contacts have."""
    for update in (update for trigger in triggers for update in trigger.updates):
        if update.field in NOT_UPDATED:
            raise InvalidOrder(f"A trigger can't change '{update.field}'; leave that to the person or the import.")
        kind = fields.get(update.field)
        if kind is None:
            raise InvalidOrder(f"There is no field '{update.field}' to update; import it once, or choose another.")
        if not _holds(kind, update.value):
            raise InvalidOrder(f"The field '{update.field}' holds a {kind}, which '{update.value}' isn't; correct it.")


def check_hooks(triggers: Iterable[Trigger], known: Iterable[str]) -> None:
    """InvalidOrder if a trigger tells a system that the settings don't name."""
    names = sorted(known)
    for trigger in triggers:
        if trigger.hook and trigger.hook not in names:
            has = f"choose one of {', '.join(names)}" if names else "add it"
            raise InvalidOrder(f"There is no hook '{trigger.hook}' in the settings; {has}.")


def _check(trigger: Trigger) -> None:
    if trigger.link and trigger.on is not On.CLICKED:
        raise InvalidOrder(f"Only a click has a link; take it out of the trigger '{trigger.on}'.")
    if not (trigger.updates or trigger.tasks or trigger.calls or trigger.hook):
        raise InvalidOrder(f"The trigger '{trigger.words}' does nothing; give it an action, or take it out.")
    if trigger.on is On.BOUNCED and (trigger.tasks or trigger.calls):
        raise InvalidOrder("A bounce can update fields and tell a hook only; take its tasks and calls out.")
    limits = (("updates", MOST_UPDATES), ("tasks", MOST_TASKS), ("calls", MOST_CALLS))
    for name, most in limits:
        if len(getattr(trigger, name)) > most:
            raise InvalidOrder(f"The trigger '{trigger.words}' has more than {most} {name}; take some out.")
    fields = [update.field for update in trigger.updates]
    if len(set(fields)) < len(fields):
        raise InvalidOrder(f"The trigger '{trigger.words}' updates a field twice; take one of the two out.")
    for task in trigger.tasks:
        check_subject(task.subject, f"A task of the trigger '{trigger.words}'")
        check_delay(task.due_after, f"A task of the trigger '{trigger.words}'")
    for call in trigger.calls:
        check_subject(call.subject, f"A call of the trigger '{trigger.words}'")
        check_delay(call.starts_after, f"A call of the trigger '{trigger.words}'")


def _holds(kind: FieldType, value: str | int | float | bool) -> bool:
    match kind:
        case FieldType.TEXT:
            return isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_VALUE
        case FieldType.BOOLEAN:
            return isinstance(value, bool)
        case FieldType.NUMBER:
            if isinstance(value, bool | str):
                return False
            return isfinite(value) and abs(value) <= LARGEST_NUMBER
        case FieldType.DATE:
            return isinstance(value, str) and _is_date(value)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
