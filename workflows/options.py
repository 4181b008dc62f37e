"""How long each kind of activity may take, and how it is tried again."""

from datetime import timedelta

from temporalio.common import Priority, RetryPolicy
from temporalio.workflow import (
    ActivityCancellationType,
    ActivityConfig,
    ChildWorkflowCancellationType,
    ChildWorkflowConfig,
    ParentClosePolicy,
)

from serienmail.domain.delivery import StageKey
from workflows.names import SEND_QUEUE, audience_workflow_id, stage_workflow_id


def short(summary: str | None = None) -> ActivityConfig:
    """Short database work: while the database is away, it waits."""
    return ActivityConfig(
        start_to_close_timeout=timedelta(seconds=30),
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1)),
        summary=summary,
    )


def loading(summary: str) -> ActivityConfig:
    """Reading recipients: up to a million, and ten tries before somebody must look."""
    return ActivityConfig(
        start_to_close_timeout=timedelta(minutes=30),
        heartbeat_timeout=timedelta(seconds=60),
        retry_policy=RetryPolicy(
            initial_interval=timedelta(seconds=5), maximum_interval=timedelta(minutes=5), maximum_attempts=10
        ),
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=summary,
    )


def sending(summary: str, key: StageKey) -> ActivityConfig:
    """A slice. No schedule_to_close: a server that is down for a day must not lose the mail.

    Tried again within half a minute, however often: a server that is away ends the third try with a time to wait until,
    so what is left are workers that died, and the others of the stage wait for such a slice before they pause.
    """
    return ActivityConfig(
        task_queue=SEND_QUEUE,
        start_to_close_timeout=timedelta(minutes=20),
        heartbeat_timeout=timedelta(seconds=30),
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=10), maximum_interval=timedelta(seconds=30)),
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=summary,
        priority=Priority(fairness_key=key.mass_mail_id[:64]),
    )


def opening(key: StageKey) -> ActivityConfig:
    """Short database work, where the slices will be: a stage is opened when a worker that sends has room for it."""
    where = ActivityConfig(task_queue=SEND_QUEUE, priority=Priority(fairness_key=key.mass_mail_id[:64]))
    return {**short("needs a worker that sends"), **where}


def asking() -> ActivityConfig:
    """A request for consent: its own claim ends the tries when the link has expired."""
    return ActivityConfig(
        task_queue=SEND_QUEUE,
        start_to_close_timeout=timedelta(minutes=20),
        retry_policy=RetryPolicy(initial_interval=timedelta(minutes=1), maximum_interval=timedelta(hours=1)),
    )


def noticing() -> ActivityConfig:
    """A notice: after an hour it is old."""
    return ActivityConfig(
        task_queue=SEND_QUEUE,
        start_to_close_timeout=timedelta(minutes=20),
        schedule_to_close_timeout=timedelta(hours=1),
        retry_policy=RetryPolicy(initial_interval=timedelta(minutes=1)),
        summary="tells who ordered it that its recipients are read",
    )


def reading() -> ActivityConfig:
    """Some mails of a mailbox. Given up soon, because the next run tries again."""
    return ActivityConfig(
        start_to_close_timeout=timedelta(minutes=5),
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=10), maximum_attempts=5),
    )


def answering() -> ActivityConfig:
    """Automatic answers. Given up soon: the mailbox is read again only after that, and the next run goes on."""
    return ActivityConfig(
        task_queue=SEND_QUEUE,
        start_to_close_timeout=timedelta(minutes=20),
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=10), maximum_attempts=3),
        summary="automatic answers",
    )


def telling() -> ActivityConfig:
    """Another system: three days until nobody waits for it any more."""
    return ActivityConfig(
        start_to_close_timeout=timedelta(minutes=1),
        schedule_to_close_timeout=timedelta(days=3),
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=10), maximum_interval=timedelta(hours=1)),
        summary="tells another system",
    )


def stage(key: StageKey, epoch: int, summary: str) -> ChildWorkflowConfig:
    """One start of a stage."""
    return _child(stage_workflow_id(key, epoch), summary)


def audience(key: StageKey, epoch: int, summary: str) -> ChildWorkflowConfig:
    """A follow-up's delivery, inside its own workflow."""
    return _child(audience_workflow_id(key, epoch), summary)


def _child(workflow_id: str, summary: str) -> ChildWorkflowConfig:
    """A stop cancels it and waits until its mails in hand are recorded."""
    return ChildWorkflowConfig(
        id=workflow_id,
        cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
        static_summary=summary,
    )
