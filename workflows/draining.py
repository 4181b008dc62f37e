"""Stopping without losing what is in hand, and without a stop being swallowed."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError

T = TypeVar("T")


async def drained(activity: "workflow.ActivityHandle[T]") -> T:
    """Its result; a stop cancels it, and waits until it has ended.

    Awaited directly, an activity that returns normally after the cancel would swallow the stop.
    """
    try:
        await workflow.wait([activity])
    except asyncio.CancelledError:
        await cancel_all([activity])
        raise
    return activity.result()


async def ended(starting: "Coroutine[Any, Any, workflow.ChildWorkflowHandle[Any, None]]") -> None:
    """Start a child and wait for its end; a stop cancels it, and waits until it has ended."""
    start = asyncio.ensure_future(starting)
    try:
        await workflow.wait([start])
        await workflow.wait([start.result()])
    except asyncio.CancelledError:
        await workflow.wait([start])
        if not start.exception():
            await _cancel_child(start.result())
        raise
    start.result().result()


async def _cancel_child(child: "workflow.ChildWorkflowHandle[Any, None]") -> None:
    """By its id: the handle's own cancel reaches the child's first run alone, not one that was continued as new."""
    try:
        await workflow.get_external_workflow_handle(child.id).cancel()
    except FailureError:
        workflow.logger.info("the child had ended before the stop reached it")
    await _wait_for([child])


async def cancel_all(working: Sequence["asyncio.Task[Any]"]) -> None:
    """Cancel what still works, and wait until everything in hand is recorded."""
    for task in working:
        task.cancel()
    await _wait_for(working)


async def _wait_for(working: Sequence["asyncio.Task[Any]"]) -> None:
    if working:
        await workflow.wait(working)
    for task in working:
        if not task.cancelled():
            task.exception()  # looked at, else the worker's log calls it forgotten
