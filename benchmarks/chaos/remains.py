"""What a run leaves behind for whoever asks why it failed: beside the logs and databases, where everything stood."""

from collections.abc import AsyncIterator
from pathlib import Path

from google.protobuf.json_format import MessageToJson
from temporalio.client import WorkflowExecutionStatus

from benchmarks.chaos.trouble import MASS_MAIL, PASSING
from starter.client import MassMails

FILE = "state.txt"


async def leave(mails: MassMails, folder: Path) -> None:
    """Write ``state.txt``: the mass mail's state, and each activity that isn't over: tries, last failure, next try."""
    lines = [line async for line in _lines(mails)]
    (folder / FILE).write_text("\n".join(lines) + "\n")


async def _lines(mails: MassMails) -> AsyncIterator[str]:
    try:
        report = await mails.status(MASS_MAIL)
        yield f"{report.status.state}: {report.status.reason}"
        for stage, counts in report.stages.items():
            yield f"stage {stage}: {dict(counts.by_state)}"
        async for found in mails.temporal.list_workflows():
            yield f"{found.id}: {found.status.name if found.status else '?'}"
            if found.status is WorkflowExecutionStatus.RUNNING:
                described = await mails.temporal.get_workflow_handle(found.id).describe()
                for activity in described.raw_description.pending_activities:
                    yield MessageToJson(activity)
    except PASSING as error:
        yield f"the rest couldn't be asked: {error!r}"
