"""What the CRM keeps beside a contact: mass mails they got, notes, tasks and calls."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from serienmail.domain.errors import InvalidOrder

LONGEST_SUBJECT = 200
LONGEST_DELAY = timedelta(days=3650)


class Kind(StrEnum):
    """What kind of activity it is."""

    MASS_MAIL = "mass_mail"
    REMINDER = "reminder"  # for employees, about a mass mail
    NOTE = "note"
    TASK = "task"  # also called to-do
    CALL = "call"


class TaskStatus(StrEnum):
    """How far a task is."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    DEFERRED = "deferred"
    COMPLETED = "completed"


class Priority(StrEnum):
    """How urgent a task is."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task to be created for a contact. due_after: from what sets it off.

    assignee: user id; empty: who answers for the contact, else who ordered the mass mail.
    """

    subject: str
    due_after: timedelta = timedelta()
    status: TaskStatus = TaskStatus.NOT_STARTED
    priority: Priority = Priority.NORMAL
    assignee: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCall:
    """A call to be scheduled with a contact. starts_after: from what sets it off. owner: as a task's assignee."""

    subject: str
    starts_after: timedelta = timedelta()
    owner: str = ""


def check_subject(subject: str, where: str) -> None:
    """InvalidOrder unless it is one line that says something."""
    if not subject.strip() or not subject.isprintable() or len(subject) > LONGEST_SUBJECT:
        raise InvalidOrder(f"{where} needs a subject of one line, {LONGEST_SUBJECT} characters at most; correct it.")


def check_delay(delay: timedelta, where: str) -> None:
    """InvalidOrder if it would come before what sets it off, or too late."""
    if not timedelta() <= delay <= LONGEST_DELAY:
        raise InvalidOrder(f"{where} must come at once or within {LONGEST_DELAY.days} days; correct its time.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """An entry beside a record, as people see it.

    contact: the CRM's key of the record in its module; empty: it is beside nobody in particular.
    mass_mail_id: what it comes from; empty: no mass mail. type: the CRM's own word, of notes and tasks.
    assigned: user ids. status, priority: of a task.
    """

    kind: Kind
    subject: str
    created_at: datetime
    module: str = ""
    contact: str = ""
    mass_mail_id: str = ""
    stage: int = 0
    note: str = ""
    type: str = ""
    assigned: tuple[str, ...] = ()
    status: str = ""
    priority: str = ""
    starts_at: datetime | None = None
    due_at: datetime | None = None
