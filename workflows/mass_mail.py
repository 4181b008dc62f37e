"""One mass mail from its order to the end of its last follow-up."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import (
    ApplicationError,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from activities.loading import LoadingActivities
    from activities.records import RecordActivities
    from activities.stages import Reopening, Resolving, StageActivities, StageStart

from serienmail.domain.campaign import Campaign, MassMailRun
from serienmail.domain.commands import (
    Command,
    Delete,
    Edit,
    Finish,
    Phase,
    Resolution,
    Resolve,
    Restart,
    SendAgain,
    Stop,
)
from serienmail.domain.delivery import StageKey
from serienmail.domain.loading import first_load, follow_up_load
from serienmail.domain.stage_run import StageRun
from serienmail.domain.states import MassMailState
from serienmail.domain.status import Status, state_at_the_end
from workflows import afterwards, names, options, progress
from workflows.delivery import DeliveryRun, DeliveryWorkflow
from workflows.draining import cancel_all, drained, ended
from workflows.faults import ENDED_BY_HAND, reason_of, went_back
from workflows.follow_up import FollowUpRun, FollowUpWorkflow
from workflows.requests import read, read_news

ACTS_WITHIN = timedelta(seconds=2)
CANCELLED = "cancelled in Temporal; 'serienmail repair' brings it back"
NOT_IN_DOUBT = "not all of these are in doubt; 'serienmail recipients --state unknown' shows who is."


class _Halted(Exception):
    """A stage can't go on before somebody mends something; the text says what."""


@workflow.defn
class MassMailWorkflow:
    """Stays open while it is stopped; its signals are safe to send from the Temporal UI.

    They take any number of inputs, since one that can't be called would block the run for ever.
    """

    @workflow.init
    def __init__(self, run: MassMailRun) -> None:
        self._campaign = Campaign(run, workflow.now())
        self._slice_size = run.slice_size
        self._epoch = run.epoch
        self._published = 0
        self._notice: asyncio.Task[None] | None = None
        self._ended = False

    @workflow.run
    async def run(self, run: MassMailRun) -> Status:
        """Load, send when due, follow up; how it ended."""
        publishing = asyncio.create_task(self._publishing())
        try:
            await self._stoppable(self._campaign.stages[0], self._mass_mail)
            await self._finish()
        except asyncio.CancelledError:
            self._campaign.end(MassMailState.STOPPED, CANCELLED)
            await self._say_the_last(publishing)
            raise
        await self._say_the_last(publishing)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.status()

    @workflow.query
    def status(self) -> Status:
        """Where it is: state, stages, last command."""
        return self._campaign.status()

    @workflow.signal
    def edit(self, *inputs: Any) -> None:
        """Change what isn't sent yet: an Edit."""
        self._campaign.obey(read(Edit, inputs), workflow.now())

    @workflow.signal
    def stop(self, *inputs: Any) -> None:
        """Send nothing more until a restart: a Stop."""
        self._campaign.obey(read(Stop, inputs), workflow.now())

    @workflow.signal
    def restart(self, *inputs: Any) -> None:
        """Go on where the ledger is: a Restart."""
        self._campaign.obey(read(Restart, inputs), workflow.now())

    @workflow.signal
    def delete(self, *inputs: Any) -> None:
        """Send nothing more, ever: a Delete."""
        self._campaign.obey(read(Delete, inputs), workflow.now())

    @workflow.signal
    def finish(self, *inputs: Any) -> None:
        """Leave out who got none: a Finish."""
        self._campaign.obey(read(Finish, inputs), workflow.now())

    @workflow.signal
    def send_again(self, *inputs: Any) -> None:
        """Look again at who got none: a SendAgain."""
        self._campaign.obey(read(SendAgain, inputs), workflow.now())

    @workflow.signal
    def resolve(self, *inputs: Any) -> None:
        """Settle mails in doubt: a Resolve."""
        self._campaign.obey(read(Resolve, inputs), workflow.now())

    @workflow.update
    async def submit(self, command: Command) -> Status:
        """The same commands, for callers who want an answer: the status that follows.

        It comes when the command shows in the state, or after ACTS_WITHIN: mails in hand may take minutes.
        """
        self._campaign.obey(command, workflow.now())
        if not self._campaign.has_acted(workflow.now()) and workflow.patched("answers-when-it-acted"):
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._campaign.has_acted(workflow.now()),
                    timeout=ACTS_WITHIN,
                    timeout_summary="a command is answered by then",
                )
        return self.status()

    @submit.validator
    def check_submit(self, command: Command) -> None:
        """Refuses before anything is written; the text says why."""
        if refused := self._campaign.refusal(command, workflow.now()):
            raise ApplicationError(refused, type="CommandRefused")

    @workflow.signal
    def stage_tells(self, *inputs: Any) -> None:
        """From a stage's own workflow: how far it is, and whether nothing can go out for a while."""
        if news := read_news(inputs):
            waits = f"until {progress.moment(news.until)}: {news.reason}" if news.until else ""
            if not self._campaign.hear(news.stage, news.progress, news.out, waits):
                workflow.set_current_details(progress.of_mass_mail(self.status()))

    async def _mass_mail(self, stage: StageRun) -> None:
        """Stage 0: load, wait for its time, send. An edit meanwhile may mean to load again, or another time."""
        while not stage.begun:
            if self._campaign.loaded != self._campaign.snapshot:
                await self._load(stage)
            elif await self._came_due(stage) and not self._reads_again(stage):
                break
        await self._deliver(stage)
        self._campaign.ended = workflow.now()
        if self._campaign.order.copies:
            await afterwards.send_copies(self._campaign.order)

    def _reads_again(self, stage: StageRun) -> bool:
        """Filters and lists are asked again when it is due, if it had to wait for that and the order wants it."""
        if stage.begun or not self._campaign.outdated(workflow.now()) or not workflow.patched("asked-when-due"):
            return False
        self._campaign.snapshot += 1
        return True

    async def _load(self, stage: StageRun) -> None:
        if workflow.patched("waits-for-processing"):
            if not stage.queued:
                self._campaign.enter(stage, Phase.LOADING, queued=True)
            await workflow.execute_activity_method(LoadingActivities.begin_loading, **options.short("needs a worker"))
        load, asked_at = first_load(self._campaign.order, self._campaign.snapshot), workflow.now()
        self._campaign.enter(stage, Phase.LOADING)
        loading = workflow.start_activity_method(
            LoadingActivities.load_recipients, load, **options.loading("reads the recipients")
        )
        loaded = await drained(loading)
        due = self._campaign.due(stage)
        if self._campaign.order.notify and (not self._campaign.loaded or (due and asked_at < due)):
            self._notice = asyncio.create_task(afterwards.send_notice(self._campaign.order, load, loaded))
        if loaded.problem and load.revision == self._campaign.snapshot:  # else an edit has them read again anyway
            self._campaign.snapshot += 1  # as a restart does
            raise _Halted(loaded.problem)
        self._campaign.loaded, self._campaign.loaded_at = load.revision, asked_at
        self._campaign.enter(stage, Phase.WAITING)

    async def _came_due(self, stage: StageRun) -> bool:
        """True when its time has come; False if an edit came before."""
        due, edits, stops = self._campaign.due(stage), self._campaign.edits, stage.stops
        if stage.begun or due is None or due <= workflow.now():
            return True
        came = False
        try:
            await workflow.wait_condition(
                lambda: self._campaign.edits != edits,
                timeout=due - workflow.now(),
                timeout_summary=f"{progress.stage_name(stage.number)} is due {progress.moment(due)}",
            )
        except TimeoutError:
            came = True
        if stage.stops != stops:  # asyncio.wait_for prefers its result to a cancel of the same moment
            raise asyncio.CancelledError
        return came

    async def _follow_ups(self) -> None:
        """All follow-ups and doubts, side by side; an edit may add a follow-up while others wait, a word a doubt."""
        asked, started, follow_ups = self._campaign, list[asyncio.Task[None]](), 0

        def none_is_new() -> bool:
            return follow_ups + 1 >= len(asked.used_stages) and not asked.doubts

        try:
            while not asked.deleted and not (none_is_new() and all(task.done() for task in started)):
                for stage in asked.used_stages[follow_ups + 1 :]:
                    if all(said.stage != stage.number for said in asked.doubts):  # else a word has it sent
                        started.append(asyncio.create_task(self._stoppable(stage, self._follow_up)))
                    follow_ups += 1
                while asked.doubts:
                    started.append(asyncio.create_task(self._resolve(asked.doubts.pop(0))))
                await workflow.wait_condition(lambda: not none_is_new() or all(task.done() for task in started))
            await asyncio.gather(*started)
        except asyncio.CancelledError:
            await cancel_all(started)  # the mails in hand first
            raise

    async def _follow_up(self, stage: StageRun) -> None:
        """Stages 1–3: wait for its time, choose the audience, send. One that an edit took out ends at once."""
        while not await self._came_due(stage):
            pass
        rule, previous = self._campaign.rule(stage), self._campaign.stages[stage.number - 1]
        if rule and rule.is_of_previous:  # whose recipients are known when it is out
            await workflow.wait_condition(lambda: previous.phase.is_ended)
        if self._campaign.rule(stage):
            await self._deliver(stage)

    async def _resolve(self, said: Resolve) -> None:
        """Settle doubts as somebody said; what is to be sent again goes out under a new epoch."""
        asked = Resolving(StageKey(self._campaign.order.id, said.stage), said.outcome, said.recipients)
        if not await workflow.execute_activity_method(StageActivities.resolve_doubts, asked, **options.short()):
            self._campaign.refuse(said, NOT_IN_DOUBT, workflow.now())
        stage = self._campaign.stages[said.stage]
        if said.outcome is Resolution.RESEND:
            if stage.phase is Phase.OVER:  # again: who got none was sent to since the word was given
                self._campaign.enter(stage, Phase.SENDING)
            await self._stoppable(stage, self._deliver)

    async def _deliver(self, stage: StageRun) -> None:
        """Run the stage's own workflow, under a new epoch."""
        self._epoch += 1
        stage.begun, stage.epoch = True, self._epoch
        queued = stage.number == 0 and workflow.patched("waits-for-processing")
        self._campaign.enter(stage, Phase.SENDING, queued=queued)
        order, rule = self._campaign.order, self._campaign.rule(stage)
        run = DeliveryRun(
            key=StageKey(order.id, stage.number),
            epoch=self._epoch,
            template=rule.template if rule else order.template,
            account=order.account,
            measured=order.measured,
            opted_in_only=order.opted_in_only,
            slice_size=self._slice_size,
            in_doubt=order.in_doubt,
            out=stage.out,
            at_once=stage.at_once,
        )
        child = options.stage(run.key, run.epoch, f"{order.name}: {progress.stage_name(stage.number)}")
        if rule:
            follow_up = FollowUpRun(follow_up_load(order, 1, stage.number), run)
            await ended(workflow.start_child_workflow(FollowUpWorkflow.run, follow_up, **child))
        else:
            await ended(workflow.start_child_workflow(DeliveryWorkflow.run, run, **child))
        if order.crm.is_kept:
            await afterwards.keep_in_crm(order, run.key)

    async def _finish(self) -> None:
        """Follow up; then finished by itself if everybody got it, else by hand; send again as often as wanted."""
        asked = self._campaign
        while not asked.deleted:
            if asked.again_asked:
                await self._send_to_the_rest()
            await self._follow_ups()
            at_the_end = await self._state_at_the_end()
            if asked.deleted or not all(stage.phase.is_ended for stage in asked.used_stages):
                continue  # a command came meanwhile: the end, or one more follow-up
            self._campaign.end(*at_the_end)
            if asked.status().state.is_final:
                return
            await workflow.wait_condition(
                lambda: asked.finish_asked or asked.again_asked or asked.deleted or bool(asked.doubts)
            )
            if asked.finish_asked:
                return
        self._campaign.end(MassMailState.DELETED, "")

    async def _state_at_the_end(self) -> tuple[MassMailState, str]:
        counts = {}
        for stage in self._campaign.used_stages:
            key = StageKey(self._campaign.order.id, stage.number)
            counts[stage.number] = await workflow.execute_activity_method(
                StageActivities.count_stage, key, **options.short()
            )
        return state_at_the_end(counts)

    async def _send_to_the_rest(self) -> None:
        """Each stage to those who got none of it and may now; one after the other."""
        asked = self._campaign
        asked.again_asked = False
        for stage in asked.used_stages:
            if asked.deleted:
                return
            if not stage.deleted and (await self._reopen(stage) or stage.number == 0):
                if stage.phase.is_ended:
                    asked.enter(stage, Phase.SENDING)
                await self._stoppable(stage, self._deliver)

    async def _reopen(self, stage: StageRun) -> int:
        order = self._campaign.order
        again = Reopening(StageKey(order.id, stage.number), order.opted_in_only)
        if stage.number:
            load = follow_up_load(order, 1, stage.number)
            again = replace(again, audience=load.audience, of=load.of, without_replied=load.without_replied)
        return await workflow.execute_activity_method(StageActivities.reopen_stage, again, **options.short())

    async def _stoppable(self, stage: StageRun, work: Callable[[StageRun], Awaitable[None]]) -> None:
        """Do the stage's work; a stop cancels it, a restart goes on where the ledger is."""
        if stage.phase is Phase.STOPPING:  # the stop came before the work began: nothing is in hand
            stage.drained()
            self._campaign.changed()
        while not stage.phase.is_ended:
            await workflow.wait_condition(lambda: not stage.stopped or stage.deleted)
            if stage.deleted:
                await self._cancel_rows(stage)
            else:
                await self._until_stopped(stage, asyncio.ensure_future(work(stage)))

    async def _until_stopped(self, stage: StageRun, task: "asyncio.Task[None]") -> None:
        """Until the work is done, failed or stopped."""
        seen = stage.stops
        try:
            await workflow.wait_condition(lambda: stage.stops != seen or task.done())
        except asyncio.CancelledError:
            stage.stop(CANCELLED)
            self._campaign.changed()
            await cancel_all([task])
            raise
        await cancel_all([task])  # nothing goes on before everything in hand is recorded
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            stage.over()
        else:
            if not is_cancelled_exception(error):
                await self._close(stage)
                stage.stop(reason_of(error))
                if went_back(error):
                    stage.out = 0  # whoever restarts it now has read the reason, and takes the ledger as it is
            elif stage.stops == seen:
                stage.stop(ENDED_BY_HAND)
            stage.drained()
        self._campaign.changed()

    async def _close(self, stage: StageRun) -> None:
        """A stage whose workflow failed or was terminated may have slices left over: they must claim nothing."""
        start = StageStart(StageKey(self._campaign.order.id, stage.number), stage.epoch)
        await workflow.execute_activity_method(StageActivities.close_stage, start, **options.short())

    async def _cancel_rows(self, stage: StageRun) -> None:
        key = StageKey(self._campaign.order.id, stage.number)
        await workflow.execute_activity_method(StageActivities.cancel_stage, key, **options.short())
        self._campaign.enter(stage, Phase.DELETED)

    async def _publishing(self) -> None:
        """Keep lists, search attributes and the UI's text up to date; one write at a time, the newest wins."""
        while True:
            await workflow.wait_condition(lambda: self._ended or self._campaign.version != self._published)
            if self._campaign.version == self._published:
                return
            await self._publish()

    async def _say_the_last(self, publishing: "asyncio.Task[None]") -> None:
        self._ended = True  # a cancel would be swallowed by a write that is confirmed at the same moment
        await publishing

    async def _publish(self) -> None:
        status = replace(self.status(), records=self._campaign.take_records())
        self._published = status.version
        workflow.set_current_details(progress.of_mass_mail(status))
        workflow.upsert_search_attributes(names.search_attributes_of(status))
        summary = progress.words(status.state)
        await workflow.execute_activity_method(RecordActivities.record_status, status, **options.short(summary))
