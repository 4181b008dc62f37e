"""Reading commands that come as signals, from code or typed into the Temporal UI: nothing here ever raises."""

from typing import Any, TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import TypeAdapter, ValidationError

from serienmail.domain.campaign import TEMPORAL_UI
from serienmail.domain.commands import Delete, Edit, Finish, Restart, SendAgain, Stop

C = TypeVar("C", Edit, Stop, Restart, Delete, Finish, SendAgain)


def read(kind: type[C], given: Any) -> C | str:
    """The command, or one sentence that says why it can't be read."""
    if given is None and kind is Stop:
        return kind(by=TEMPORAL_UI)
    try:
        return TypeAdapter(kind).validate_python(given)
    except ValidationError as error:
        fields = ", ".join(sorted({str(part) for detail in error.errors() for part in detail["loc"][:1]})) or "input"
        name = kind.__name__.lower()
        return f'A command ({name}) could not be read, see {fields}; send an object such as {{"by": "your user id"}}.'

