"""Notes and tasks for a group of records, beside a mass mail or without one (product.md, E6)."""

import re
from dataclasses import dataclass
from datetime import datetime

from serienmail.domain.activity import Priority, check_subject
from serienmail.domain.errors import InvalidOrder

LARGEST_GROUP = 2_000
LONGEST_TYPE = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupNote:
    """A note beside each record. type: the CRM's own word for it."""

    type: str
    subject: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTask:
    """A task, or to-do, for each record.

    assignee: user id; empty: who runs the action. starts_at: None: when it is run. ends_at: None: at its start.
    """

    type: str
    subject: str
    text: str = ""
    assignee: str = ""
    priority: Priority = Priority.NORMAL
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactAction:
    """A note, a task or both for each record of a group; created once, however often it is run under its id.

    id: as a mass mail's. by: user id. selection: id of a stored selection.
    """

    id: str
    by: str
    selection: str
    note: GroupNote | None = None
    task: GroupTask | None = None

    @property
    def each(self) -> int:
        """How many activities a record gets."""
        return sum(part is not None for part in (self.note, self.task))


def check_action(action: ContactAction, now: datetime) -> None:
    """InvalidOrder if it can't be run as written."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,99}", action.id):
        raise InvalidOrder("The id may have lower-case letters, digits and '-' only, 100 at most; choose another.")
    if action.note is None and action.task is None:
        raise InvalidOrder("The action creates nothing; give it a note or a task.")
    if action.note is not None:
        _check_part("The note", action.note.type, action.note.subject)
    if action.task is not None:
        _check_part("The task", action.task.type, action.task.subject)
        _check_times(action.task, now)


def check_group(size: int) -> None:
    """InvalidOrder unless notes and tasks can be created for so many records."""
    if size == 0:
        raise InvalidOrder("Nobody is selected; choose others.")
    if size > LARGEST_GROUP:
        raise InvalidOrder(f"{size} are selected, and an action is for {LARGEST_GROUP} at most; choose fewer.")


def _check_part(what: str, type: str, subject: str) -> None:
    if not type.strip() or not type.isprintable() or len(type) > LONGEST_TYPE:
        raise InvalidOrder(f"{what} needs a type, {LONGEST_TYPE} characters at most; give it one.")
    check_subject(subject, what)


def _check_times(task: GroupTask, now: datetime) -> None:
    for at in (task.starts_at, task.ends_at):
        if at is not None and at.tzinfo is None:
            raise InvalidOrder(f"{at:%Y-%m-%d %H:%M} has no time zone; add one, e.g. +01:00.")
    if task.ends_at is not None and task.ends_at < (task.starts_at or now):
        raise InvalidOrder("The task would end before it starts; give it a later end.")
