"""What one recipient set off by opening, clicking or bouncing."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.triggers import TriggerActivities

from serienmail.domain.trigger import CarriedOut, Triggered
from workflows import options


@workflow.defn
class TriggerWorkflow:
    """One for each recipient and event: its id is made from both, and is never used again."""

    @workflow.run
    async def run(self, set_off: Triggered) -> CarriedOut:
        """First what the CRM keeps, then other systems, which may be away for days."""
        done = await workflow.execute_activity_method(
            TriggerActivities.carry_out_trigger, set_off, **options.short("updates fields, creates tasks and calls")
        )
        if done.tells:
            await workflow.execute_activity_method(TriggerActivities.tell_hook, set_off, **options.telling())
        return done
