"""What follows when a stage is out: copies for employees, and what the CRM keeps."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.copies import CopyActivities
    from activities.crm import CrmActivities

from serienmail.domain.copies import CopyJob
from serienmail.domain.crm_record import CrmJob
from serienmail.domain.delivery import StageKey
from serienmail.domain.mass_mail import MassMail
from workflows import options
from workflows.draining import drained


async def send_copies(order: MassMail) -> None:
    """To those who answer for the mass mail."""
    job = CopyJob(order.id, order.created_by, order.template, order.account)
    what = options.sending("sends the copies", StageKey(order.id, 0))
    await drained(workflow.start_activity_method(CopyActivities.send_copies, job, **what))


async def keep_in_crm(order: MassMail, key: StageKey) -> None:
    """For those who have got this stage's mail."""
    job, what = CrmJob(key, order.crm, order.created_by), options.loading("keeps it in the CRM")
    await drained(workflow.start_activity_method(CrmActivities.keep_in_crm, job, **what))
