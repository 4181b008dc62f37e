"""Recurring mass mails: what a Temporal Schedule starts."""

from datetime import timedelta

from temporalio.client import WorkflowExecutionStatus

from serienmail.domain.states import MassMailState
from tests.world import World, follow_up
from workflows.names import WORKFLOW_QUEUE
from workflows.recurring import RecurringMassMailWorkflow


async def test_each_run_starts_a_mass_mail_even_while_an_earlier_one_still_follows_up(world: World) -> None:
    await world.contacts(2)
    order = await world.order("weekly", due=None, follow_ups=(follow_up(9),))
    run = world.mails.as_run((await world.mails.prepare(order)).order)
    ids = []
    for delay in (0, 1):  # a second apart: the time is a part of the id
        started = await world.mails.temporal.start_workflow(
            RecurringMassMailWorkflow.run,
            run,
            id=f"recurring/weekly-{delay}",
            task_queue=WORKFLOW_QUEUE,
            start_delay=timedelta(seconds=delay),
        )
        ids.append(await started.result())
        await world.until(ids[-1], MassMailState.FOLLOWING_UP)
    assert len(set(ids)) == 2
    assert len(world.received()) == 4
    for mass_mail_id in ids:
        assert (await world.workflow(mass_mail_id).describe()).status is WorkflowExecutionStatus.RUNNING
        await world.skip(mass_mail_id, timedelta(days=9))
        await world.mails.wait(mass_mail_id)
        assert await world.states(mass_mail_id) == [{"sent": 2}, {"sent": 2}]
