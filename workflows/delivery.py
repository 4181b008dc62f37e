"""Delivering one stage: one loop for the first pass, retries, waiting and going on after a stop."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.loading import LoadingActivities
    from activities.sending import SendActivities, SliceResult
    from activities.stages import PlanRequest, StageActivities, StageStart
    from serienmail.domain.delivery import Plan, SliceJob, SliceRange, StageKey
    from serienmail.domain.loading import Load
    from serienmail.domain.mass_mail import InDoubt

from workflows import options, progress
from workflows.draining import cancel_all, drained
from workflows.names import mass_mail_workflow_id

WINDOW = 20
"""Slices in work at once; more would only queue, and a stop would have to wait for them."""
TELL_AFTER = 10
"""Slices between two tellings of the progress, at least."""
SOON, LATER = timedelta(seconds=30), timedelta(minutes=5)
SHORTEST_PAUSE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRun:
    """One start of sending a stage.

    epoch: grows with each start; an older one claims nothing any more. The rest as in SliceJob, PlanRequest and
    StageStart.
    joining: recipients who come one by one, for as long as any can.
    """

    key: StageKey
    epoch: int
    template: str
    account: str
    measured: bool
    opted_in_only: bool
    slice_size: int | None = None
    in_doubt: InDoubt = InDoubt.HOLD
    out: int = 0
    at_once: bool = False
    joining: Load | None = None


@dataclass(frozen=True, slots=True)
class News:
    """For the mass mail, from one of its stages: how many of how many, and whether nothing can go out until a time.

    out: as in Plan.
    """

    stage: int
    progress: str = ""
    until: datetime | None = None
    reason: str = ""
    out: int = 0


@workflow.defn
class DeliveryWorkflow:
    """Ends when nobody of its stage is pending, deferred or being handed over."""

    @workflow.init
    def __init__(self, run: DeliveryRun) -> None:
        self._run = run
        self._start = StageStart(run.key, run.epoch, run.at_once)
        self._progress, self._told_at = "", 0
        self._calls, self._heard = 0, 0
        self._parent = workflow.get_external_workflow_handle(mass_mail_workflow_id(run.key.mass_mail_id))

    @workflow.run
    async def run(self, run: DeliveryRun) -> None:
        """Open the stage, deliver, close it; a cancel closes it at once and waits for the mails in hand."""
        await workflow.execute_activity_method(StageActivities.open_stage, self._start, **options.opening(run.key))
        try:
            await self._deliver()
        except asyncio.CancelledError:
            await self._close()
            raise
        await self._close()

    @workflow.signal
    def look_again(self, *accounts: Any) -> None:
        """What it waits for may be over, since this account's limits were changed; none: whatever it waits for."""
        self._calls += not accounts or self._run.account in accounts

    async def _deliver(self) -> None:
        idle = SOON
        while True:
            plan = await self._plan()
            if plan.slices:
                handled = await self._send(plan)
                idle = SOON if handled else min(idle * 2, LATER)
                if not handled:  # somebody else holds the rows: never spin
                    await workflow.sleep(idle, summary="other workers hold what is due")
            elif plan.wake_at:
                await self._pause(plan.wake_at, plan.reason)
            else:
                return
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._run)

    async def _let_join(self) -> datetime | None:
        """Take in who is due by now; when others may be."""
        if self._run.joining is None:
            return None
        loading = workflow.start_activity_method(
            LoadingActivities.load_recipients, self._run.joining, **options.loading("looks who is due")
        )
        return (await drained(loading)).looks_again

    async def _plan(self) -> Plan:
        self._heard = self._calls
        run, others_at = self._run, await self._let_join()
        request = PlanRequest(run.key, run.slice_size, run.account, run.in_doubt, run.out)
        plan = await workflow.execute_activity_method(StageActivities.plan_slices, request, **options.short())
        self._run, plan = replace(self._run, out=plan.out), plan.waiting_for_others(others_at)
        await self._show(plan)
        return plan

    async def _send(self, plan: Plan) -> int:
        """Send all planned slices, a window at a time; more than 0 if anything moved.

        A stop cancels the slices and waits until they have recorded what they had in hand. A slice is never awaited
        directly: one that returns normally after the cancel would swallow it.
        """
        waiting, running = deque(plan.slices), list[workflow.ActivityHandle[SliceResult]]()
        results: list[SliceResult] = []
        try:
            while waiting or running:
                while waiting and len(running) < WINDOW:
                    running.append(self._start_slice(waiting.popleft()))
                done, _ = await workflow.wait(running, return_when=asyncio.FIRST_COMPLETED)
                running = [handle for handle in running if handle not in done]
                results += [handle.result() for handle in done]
                await self._show(plan, results)
                waiting = deque() if any(result.wait_until for result in results) else waiting
        except (Exception, asyncio.CancelledError):
            await self._close()
            await cancel_all(running)
            raise
        await self._pause_if_asked(results)
        return sum(result.handled for result in results) + any(result.wait_until for result in results)

    def _start_slice(self, rows: SliceRange) -> "workflow.ActivityHandle[SliceResult]":
        run = self._run
        job = SliceJob(
            key=run.key,
            epoch=run.epoch,
            range=rows,
            template=run.template,
            account=run.account,
            measured=run.measured,
            opted_in_only=run.opted_in_only,
        )
        return workflow.start_activity_method(
            SendActivities.send_slice,
            job,
            **options.sending(progress.of_slice(rows), run.key),
        )

    async def _pause_if_asked(self, results: Sequence[SliceResult]) -> None:
        asked = [(result.wait_until, result.reason) for result in results if result.wait_until]
        if asked:
            await self._pause(*max(asked))

    async def _pause(self, until: datetime, reason: str) -> None:
        """Wait on a durable timer, or until it is called, and say so where people look."""
        await self._tell(until, reason)
        pause = max(until - workflow.now(), SHORTEST_PAUSE)
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._calls > self._heard, timeout=pause, timeout_summary=reason)
            await workflow.sleep(SHORTEST_PAUSE, summary="until all workers know what has changed")
        await self._tell()

    async def _show(self, plan: Plan, results: Sequence[SliceResult] = ()) -> None:
        """How far it is: here at once, at the mass mail now and then, since each telling costs both five events."""
        since = sum(result.handled for result in results)
        workflow.set_current_details(progress.of_delivery(plan, since))
        if not results or len(results) - self._told_at >= max(TELL_AFTER, len(plan.slices) // 10):
            self._told_at, self._progress = len(results), progress.handed_over(plan, since)
            await self._tell()

    async def _tell(self, until: datetime | None = None, reason: str = "") -> None:
        news = News(self._run.key.stage, self._progress, until, reason, self._run.out)
        # shielded: a signal that is delivered in spite of a cancel would swallow the stop
        await asyncio.shield(self._parent.signal("stage_tells", news))

    async def _close(self) -> None:
        await workflow.execute_activity_method(StageActivities.close_stage, self._start, **options.short())
