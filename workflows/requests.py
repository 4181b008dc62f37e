"""Reading commands that come as signals, from code or typed into the Temporal UI: nothing here ever raises."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import TypeAdapter, ValidationError

from serienmail.domain.campaign import TEMPORAL_UI
from serienmail.domain.commands import Delete, Edit, Finish, Resolve, Restart, SendAgain, Stop
from workflows.delivery import News

C = TypeVar("C", Edit, Stop, Restart, Delete, Finish, SendAgain, Resolve)


def read(kind: type[C], inputs: Sequence[Any]) -> C | str:
    """The command in a signal's inputs, or one sentence that says why it can't be read."""
    if not any(given is not None for given in inputs) and kind is Stop:
        return TypeAdapter(kind).validate_python({"by": TEMPORAL_UI})
    if len(inputs) != 1:
        return _unreadable(kind, f"{len(inputs)} inputs came instead of one")
    given = inputs[0]
    known = {field.name for field in fields(kind)}
    if isinstance(given, dict) and (unknown := sorted(set(map(str, given)) - known)):
        return _unreadable(kind, f"it has no '{unknown[0]}', only {', '.join(sorted(known - {'kind'}))}")
    try:
        command = TypeAdapter(kind).validate_python(given)
    except ValidationError as error:
        wrong = sorted({str(part) for detail in error.errors() for part in detail["loc"][:1]})
        return _unreadable(kind, f"see {', '.join(wrong)}" if wrong else "it is no object")
    if command.by == TEMPORAL_UI:
        return _unreadable(kind, f"'{TEMPORAL_UI}' is nobody's user id")
    return command


def _unreadable(kind: type[Any], why: str) -> str:
    example = '{"by": "your user id"}'
    return f"A command ({kind.__name__.lower()}) could not be read: {why}; send an object such as {example}."


def read_news(inputs: Sequence[Any]) -> News | None:
    """What a stage tells; None if somebody else sent something else."""
    try:
        return TypeAdapter(tuple[News]).validate_python(tuple(inputs))[0]
    except ValidationError:
        return None
