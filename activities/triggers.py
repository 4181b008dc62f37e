"""Carrying out what recipients set off."""

from datetime import datetime
from typing import Protocol

from temporalio import activity

from activities.clock import ActivityClock
from serienmail.domain.trigger import CarriedOut, HookNews, Triggered


class Triggers(Protocol):
    """What was set off, and what is to be done about it."""

    async def carry_out(self, set_off: Triggered, now: datetime) -> CarriedOut:
        """Update fields, create tasks and calls; a second time nothing is done."""

    async def news(self, set_off: Triggered) -> HookNews | None:
        """What its hook is told; None if there is nothing to tell any more."""


class Hooks(Protocol):
    """Other systems."""

    async def tell(self, news: HookNews) -> None:
        """Returns when it was taken; HookAway or HookRefused if it wasn't."""


class TriggerActivities:
    """carry_out_trigger, tell_hook. What they do is in the database: histories have ids and numbers alone."""

    def __init__(self, triggers: Triggers, hooks: Hooks) -> None:
        self._triggers = triggers
        self._hooks = hooks

    @activity.defn
    async def carry_out_trigger(self, set_off: Triggered) -> CarriedOut:
        """Do it once, however often this is tried."""
        return await self._triggers.carry_out(set_off, ActivityClock().now())

    @activity.defn
    async def tell_hook(self, set_off: Triggered) -> bool:
        """Whether there was something to tell, which was taken then. A second telling has the same id."""
        news = await self._triggers.news(set_off)
        if news is not None:
            await self._hooks.tell(news)
        return news is not None
