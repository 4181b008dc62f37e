"""The schedules that have mailboxes read."""

from collections.abc import Iterable
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)

from activities.mailboxes import Reading
from workflows import names
from workflows.mailbox import MailboxWorkflow

EVERY = timedelta(minutes=2)
_CATCH_UP = timedelta(minutes=1)


async def have_mailboxes_read(client: Client, mailboxes: Iterable[str]) -> None:
    """See to it that each of these is read every two minutes, one run at a time. Safe to repeat."""
    for mailbox in mailboxes:
        action = ScheduleActionStartWorkflow(
            MailboxWorkflow.run,
            Reading(mailbox),
            id=names.mailbox_workflow_id(mailbox),
            task_queue=names.WORKFLOW_QUEUE,
            static_summary=f"bounces and replies in {mailbox}",
        )
        schedule = Schedule(
            action=action,
            spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=EVERY)]),
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=_CATCH_UP),
        )
        try:
            await client.create_schedule(names.mailbox_workflow_id(mailbox), schedule)
        except ScheduleAlreadyRunningError:
            continue
