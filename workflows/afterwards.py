"""What follows a step: a notice when recipients are read; copies, and what the CRM keeps, when a stage is out."""

import contextlib

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.copies import CopyActivities
    from activities.crm import CrmActivities
    from activities.notices import NoticeActivities

from serienmail.domain.copies import CopyJob
from serienmail.domain.crm_record import CrmJob
from serienmail.domain.delivery import StageKey
from serienmail.domain.loading import Load, Loaded
from serienmail.domain.mass_mail import MassMail
from serienmail.domain.notice import NoticeJob
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


async def send_notice(order: MassMail, load: Load, loaded: Loaded) -> None:
    """To who ordered it. Nothing waits for it, and nothing fails with it."""
    job = NoticeJob(
        mass_mail_id=order.id,
        name=order.name,
        revision=load.revision,
        account=order.account,
        to=order.created_by,
        loaded=loaded,
        due=order.begins,
    )
    with contextlib.suppress(ActivityError):
        await workflow.execute_activity_method(NoticeActivities.send_notice, job, **options.noticing())
