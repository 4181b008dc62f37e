"""Reading one mailbox: what a Temporal Schedule starts every few minutes."""

from dataclasses import replace

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.answers import AnswerActivities
    from activities.mailboxes import MailboxActivities, Reading

from serienmail.domain.mailbox import Position
from workflows import options

MOST_BATCHES = 100
"""In one run, so that its history stays short; the next one goes on."""


@workflow.defn
class MailboxWorkflow:
    """Goes on where the last run ended. Nothing is lost if that isn't known: what is read again changes nothing."""

    @workflow.run
    async def run(self, reading: Reading) -> Position:
        """How far the mailbox has been read, for the next run."""
        reading = replace(reading, position=workflow.get_last_completion_result(Position) or reading.position)
        for _ in range(MOST_BATCHES):
            read = await workflow.execute_activity_method(MailboxActivities.read_mailbox, reading, **options.reading())
            reading = replace(reading, position=read.position)
            if not read.more:
                break
        if workflow.patched("automatic-answers"):
            await workflow.execute_activity_method(AnswerActivities.send_answers, **options.answering())
        return reading.position
