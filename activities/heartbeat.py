"""Heartbeats from a task of their own, so that a long wait inside an activity can't starve them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from temporalio import activity

INTERVAL = 5.0
"""Seconds. Cancellation reaches an activity only through a heartbeat's answer."""


@asynccontextmanager
async def beating(*details: Callable[[], int]) -> AsyncIterator[None]:
    """Beat while the block runs; details: counts that the Temporal UI shows, and that the next attempt can read."""

    async def beat() -> None:
        while True:  # the activity's start is the first sign of life
            await asyncio.sleep(INTERVAL)
            activity.heartbeat(*(detail() for detail in details))

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
