"""One follow-up, from the choice of its audience to its last mail."""

from dataclasses import dataclass, replace

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.loading import LoadingActivities
    from serienmail.domain.loading import Load

from workflows import options, progress
from workflows.delivery import DeliveryRun, DeliveryWorkflow
from workflows.draining import drained, ended


@dataclass(frozen=True, slots=True)
class FollowUpRun:
    """Whom to choose, and how to deliver."""

    load: Load
    delivery: DeliveryRun


@workflow.defn
class FollowUpWorkflow:
    """Started when the follow-up is due and the mass mail itself is out."""

    @workflow.run
    async def run(self, run: FollowUpRun) -> None:
        """Choose the audience once, then deliver; a restart finds the audience chosen.

        One whose people come one by one is joined by them while it is delivered.
        """
        loading = workflow.start_activity_method(
            LoadingActivities.load_recipients, run.load, **options.loading("chooses the audience")
        )
        loaded = await drained(loading)
        workflow.set_current_details(progress.of_audience(loaded))
        if not loaded.counts.will_receive and not loaded.looks_again:
            return
        delivery = replace(run.delivery, joining=run.load if loaded.looks_again else None)
        delivering = workflow.start_child_workflow(
            DeliveryWorkflow.run,
            delivery,
            **options.audience(delivery.key, delivery.epoch, progress.size_of(loaded)),
        )
        await ended(delivering)
