"""What the CRM keeps of a mass mail: an activity for each recipient or one for all, and a reminder (product.md, E5)."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from serienmail.domain.activity import LONGEST_SUBJECT, check_delay, check_subject
from serienmail.domain.delivery import StageKey
from serienmail.domain.errors import InvalidOrder


class Extent(StrEnum):
    """How many activities a mass mail leaves."""

    NONE = "none"
    ONE = "one"  # for all recipients together
    EACH = "each"  # beside each recipient


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """An activity that reminds employees of a mass mail. after: from its end. subject: empty: the record's."""

    after: timedelta
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmRecord:
    """What is kept when a mass mail, or a follow-up, is out.

    subject: empty until one is proposed from the mail's. linked: id of a stored selection, whose records get the entry,
    too. employees: user ids to which all of it is assigned; none: who ordered the mass mail.
    """

    activities: Extent = Extent.NONE
    subject: str = ""
    linked: str | None = None
    employees: tuple[str, ...] = ()
    reminder: Reminder | None = None

    @property
    def is_kept(self) -> bool:
        """Whether there is anything to write."""
        return self.activities is not Extent.NONE or self.reminder is not None

    @property
    def words(self) -> str:
        """For people: what is kept, the subject that it has, and whose it is if not the creator's."""
        entry = {Extent.NONE: "", Extent.ONE: "one activity for all", Extent.EACH: "an activity for each recipient"}
        reminder = f"a reminder {self.reminder.after.days} days after the end" if self.reminder else ""
        linked = "an activity for linked records" if self.linked else ""
        whose = f" for {', '.join(self.employees)}" if self.employees else ""
        return f"{', '.join(filter(None, (entry[self.activities], linked, reminder)))} ({self.subject}){whose}"


@dataclass(frozen=True, slots=True)
class CrmJob:
    """One stage's record, to be written. by: who ordered the mass mail."""

    key: StageKey
    record: CrmRecord
    by: str

    @property
    def assigned(self) -> tuple[str, ...]:
        """To whom."""
        return self.record.employees or (self.by,)


def check_crm_record(record: CrmRecord) -> None:
    """InvalidOrder if it can't be kept like this."""
    if record.subject:
        check_subject(record.subject, "The CRM's entry")
    if record.activities is Extent.NONE and record.linked is not None:
        raise InvalidOrder("Linked records get the mass mail's activity; say activities = one or each, or link none.")
    if record.employees and not record.is_kept:
        raise InvalidOrder("Employees are assigned an activity or a reminder; order one, or take them out.")
    if any(not user.strip() or "," in user or not user.isprintable() for user in record.employees):
        raise InvalidOrder("An employee is a user id without commas; correct it.")
    if record.reminder:
        check_delay(record.reminder.after, "A reminder")
        if record.reminder.subject:
            check_subject(record.reminder.subject, "A reminder")


def proposed_subject(mail_subject: str) -> str:
    """The mail's subject without what differs for each recipient: "Autumn in {{ contact.city }}" is "Autumn in …"."""
    words = re.sub(r"\{#.*?#\}|\{%.*?%\}", "", re.sub(r"\{\{.*?\}\}", "…", mail_subject))
    return " ".join(words.split())[:LONGEST_SUBJECT] or "…"
