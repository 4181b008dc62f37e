"""What an order's file says about the CRM's record of the mass mail."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from serienmail.domain.contact import CONTACTS
from serienmail.domain.criteria import Criterion
from serienmail.domain.crm_record import CrmRecord, Extent, Reminder
from serienmail.domain.errors import InvalidOrder
from starter.toml_file import Table

if TYPE_CHECKING:
    from starter.client import MassMails

KEYS = ("activities", "subject", "linked", "linked_module", "employees", "reminder_days", "reminder_subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenCrmRecord:
    """As written: with a criterion where the order will have a stored selection's id."""

    record: CrmRecord = field(default_factory=CrmRecord)
    linked: Criterion | None = None
    module: str = CONTACTS

    async def stored(self, mails: "MassMails") -> CrmRecord:
        """As the order has it."""
        if self.linked is None:
            return self.record
        return replace(self.record, linked=await mails.recipients.select(self.linked, module=self.module))


def read_crm_record(table: Table) -> WrittenCrmRecord:
    """What ``[crm]`` says."""
    crm = table.table("crm", KEYS)
    if crm is None:
        return WrittenCrmRecord()
    record = CrmRecord(
        activities=crm.choice("activities", Extent) or Extent.NONE,
        subject=crm.text("subject") or "",
        employees=tuple(crm.texts("employees") or ()),
        reminder=_reminder(crm),
    )
    return WrittenCrmRecord(
        record=record, linked=crm.criterion("linked"), module=crm.text("linked_module") or CONTACTS
    )


def _reminder(crm: Table) -> Reminder | None:
    days, subject = crm.number("reminder_days"), crm.text("reminder_subject")
    if days is None:
        if subject is not None:
            raise InvalidOrder("A reminder needs a time; write reminder_days.")
        return None
    try:
        return Reminder(after=timedelta(days=days), subject=subject or "")
    except OverflowError:
        raise InvalidOrder(f"Nobody can wait for {days} days; give a number that makes sense.") from None
