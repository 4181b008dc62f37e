"""Stopping without losing what is in hand, and without a stop being swallowed."""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

from temporalio import workflow

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


async def cancel_all(working: Sequence["asyncio.Task[Any]"]) -> None:
    """Cancel what still works, and wait until everything in hand is recorded."""
    for task in working:
        task.cancel()
    if working:
        await workflow.wait(working)
    for task in working:
        if not task.cancelled():
            task.exception()  # looked at, else the worker's log calls it forgotten
