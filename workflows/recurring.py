"""Recurring mass mails: what a Temporal Schedule starts."""

from dataclasses import replace

from temporalio import workflow
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.records import RecordActivities

from serienmail.domain.campaign import MassMailRun
from workflows import names, options
from workflows.mass_mail import MassMailWorkflow


@workflow.defn
class RecurringMassMailWorkflow:
    """Starts one mass mail and ends, so that the next one can start while this one still follows up."""

    @workflow.run
    async def run(self, run: MassMailRun) -> str:
        """The id of the mass mail it started: the order's, and the time of this run."""
        order = replace(run.order, id=f"{run.order.id}-{workflow.now():%Y%m%d-%H%M%S}", due=workflow.now())
        await workflow.execute_activity_method(RecordActivities.create_order, order, **options.short("keeps the order"))
        await workflow.start_child_workflow(
            MassMailWorkflow.run,
            replace(run, order=order),
            id=names.mass_mail_workflow_id(order.id),
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=order.name,
            search_attributes=names.first_search_attributes(order),
        )
        return order.id
