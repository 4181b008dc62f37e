"""The client for backend developers: start mass mails, steer them, see how they are.

    async with MassMails.connect() as mails:
        await mails.start(MassMail(id="autumn", name="Autumn offer", …))
        await mails.stop("autumn", by="a.schmidt")
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from serienmail.domain.audit import AuditRecord
from serienmail.domain.breakdown import Breakdown
from serienmail.domain.campaign import MassMailRun
from serienmail.domain.commands import Command, Delete, Edit, Finish, Resolution, Resolve, Restart, SendAgain, Stop
from serienmail.domain.criteria import Criterion
from serienmail.domain.errors import AlreadyExists, CommandRefused, EnvironmentFault
from serienmail.domain.mass_mail import AsOf, MassMail
from serienmail.domain.states import Folder, MassMailState
from serienmail.domain.statistics import Statistics
from serienmail.domain.status import Status
from serienmail.settings import Settings, load_settings
from serienmail.storage.limits import LimitsInForce
from serienmail.storage.mass_mails import Listed
from starter.connection import connect_to_temporal
from starter.letter import compose, from_the_same_sender
from starter.limits import change_limits, tell_who_waits
from starter.orders import Prepared, check_due, check_local_time, pinned, prepare
from starter.overview import Report, in_doubt, mass_mails_in, report
from starter.problems import Problems, all_at_once
from starter.recipients import Recipients
from starter.services import Services, open_services
from starter.triggers import check_installed
from workflows import names
from workflows.mass_mail import MassMailWorkflow

__all__ = ["MassMails", "Report"]
START_TAKES = timedelta(minutes=1)
_BEFORE_LOADED = (MassMailState.WAITING_FOR_PROCESSING, MassMailState.LOADING)
ANSWER_WITHIN = timedelta(seconds=10)
"""How long a command waits for the workflow's answer before it is left as a signal."""


class MassMails:
    """Mass mails on one installation. Every method may raise a SerienmailError that says what to do."""

    def __init__(self, services: Services, temporal: Client) -> None:
        self.services = services
        self.temporal = temporal

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, settings: Settings | None = None, temporal: Client | None = None
    ) -> AsyncIterator["MassMails"]:
        """Settings from environment and serienmail.toml, Temporal from its own; both can be given instead."""
        async with open_services(settings or load_settings()) as services:
            yield cls(services, temporal or await connect_to_temporal())

    @property
    def recipients(self) -> Recipients:
        """Selections, filters and work lists."""
        return Recipients(self.services)

    async def select(self, criterion: Criterion) -> str:
        """Store a selection; the id that orders name it by. ``recipients.select`` knows more parts."""
        return await self.recipients.select(criterion)

    async def prepare(self, order: MassMail, problems: Problems | None = None) -> Prepared:
        """What starting would do now, counted; nothing is written. AlreadyExists if the id is taken.

        problems: found before, to which those of the order are added.
        """
        await self.services.mass_mails.require_free(order.id)
        return await prepare(self.services, order, problems=problems)

    async def start(self, order: MassMail) -> MassMail:
        """Start a mass mail; the order with its template revisions. AlreadyExists if the id is taken.

        Its mails are from who ordered it, as far as mail.people knows that one; ``starter.letter.compose`` says else.
        """
        await self.require("start", order.created_by, order.id, order.created_by)
        with all_at_once() as problems:
            order = await compose(self.services, order, problems=problems)
            order = (await self.prepare(order, problems)).order
        if order.as_of is AsOf.START:
            order = replace(order, selection=await self.services.selections.fix(order.selection))
        await self.services.mass_mails.create(order, datetime.now(UTC))
        await self.run(self.as_run(order))
        return order

    def as_run(self, order: MassMail) -> MassMailRun:
        """How this installation carries an order out."""
        settings = self.services.settings
        return MassMailRun(
            order=order,
            administrators=settings.administrators,
            roles=settings.users,
            lead=timedelta(minutes=settings.edit_lead_minutes),
            slice_size=settings.slice_size,
        )

    async def run(self, run: MassMailRun) -> None:
        """Start a mass mail's workflow; AlreadyExists if it runs."""
        order = run.order
        try:
            await self.temporal.start_workflow(
                MassMailWorkflow.run,
                run,
                id=names.mass_mail_workflow_id(order.id),
                task_queue=names.WORKFLOW_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                search_attributes=names.first_search_attributes(order),
                static_summary=order.name,
            )
        except WorkflowAlreadyStartedError:
            raise AlreadyExists(f"The mass mail '{order.id}' is running already; see it with 'show'.") from None

    async def edit(self, mass_mail_id: str, edit: Edit) -> Status:
        """Change what isn't sent yet; templates may be given without a revision.

        Another template's mails are from whom the mass mail was from, unless it was composed for this mass mail.
        """
        order = (await self.services.mass_mails.get(mass_mail_id)).order
        edit = await from_the_same_sender(self.services, order, edit)
        edited = await pinned(self.services, edit.apply(order))
        await check_installed(self.services, edited)
        if edit.due:
            await check_due(self.services, edited, datetime.now(UTC))
            await check_local_time(self.services, edited, datetime.now(UTC))
        if edit.selection and order.as_of is AsOf.START:
            edit = replace(edit, selection=await self.services.selections.fix(edit.selection))
        change = replace(
            edit,
            template=edit.template and edited.template,
            follow_ups=None if edit.follow_ups is None else edited.follow_ups,
            crm=edit.crm and edited.crm,  # with the subject that the mail suggests
        )
        return await self.submit(mass_mail_id, change)

    async def stop(self, mass_mail_id: str, by: str, stage: int | None = None) -> Status:
        """Send nothing more until a restart. stage: one follow-up alone."""
        return await self.submit(mass_mail_id, Stop(by=by, stage=stage))

    async def restart(
        self, mass_mail_id: str, by: str, stage: int | None = None, due: datetime | None = None, now: bool = False
    ) -> Status:
        """Go on; due or now if a time passed meanwhile."""
        order = (await self.services.mass_mails.get(mass_mail_id)).order
        if due and not stage:
            await check_local_time(self.services, replace(order, due=due), datetime.now(UTC))
        return await self.submit(mass_mail_id, Restart(by=by, stage=stage, due=due, now=now))

    async def send_again(self, mass_mail_id: str, by: str) -> Status:
        """Look again at who was excluded, failed or rejected."""
        return await self.submit(mass_mail_id, SendAgain(by=by))

    async def resolve(
        self, mass_mail_id: str, by: str, outcome: Resolution, stage: int = 0, contacts: Collection[str] = ()
    ) -> Status:
        """Settle mails in doubt of a stage that is through: of these contacts (the CRM's keys), or all.

        The command carries the recipients' numbers, since workflow histories keep it.
        """
        await self.services.mass_mails.get(mass_mail_id)
        recipients = await in_doubt(self.services, mass_mail_id, stage, contacts)
        return await self.submit(mass_mail_id, Resolve(by=by, outcome=outcome, stage=stage, recipients=recipients))

    async def finish(self, mass_mail_id: str, by: str) -> Status:
        """Leave out who got none."""
        return await self.submit(mass_mail_id, Finish(by=by))

    async def delete(self, mass_mail_id: str, by: str, stage: int | None = None) -> Status:
        """Send nothing more, ever; ledger and events stay. A finished one moves to the folder of deleted ones."""
        listed = await self.services.mass_mails.get(mass_mail_id)
        if listed.state.is_final and listed.state is not MassMailState.DELETED and stage is None:
            return await self._delete_finished(listed, by)
        return await self.submit(mass_mail_id, Delete(by=by, stage=stage))

    async def submit(self, mass_mail_id: str, command: Command) -> Status:
        """Give a command and wait for its answer; CommandRefused says why it changes nothing.

        If no worker can answer in time, the command is left as a signal and the status of before is returned.
        """
        listed = await self.services.mass_mails.get(mass_mail_id)
        await self.require(command.kind, command.by, mass_mail_id, listed.order.created_by)
        handle = self._handle(mass_mail_id)
        try:
            async with asyncio.timeout(ANSWER_WITHIN.total_seconds()) as patience:
                return await handle.execute_update(MassMailWorkflow.submit, command)
        except WorkflowUpdateFailedError as error:
            reason = error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause)
            # a workflow's validator refuses, but writes nothing
            await self.services.audit.add(command.kind, command.by, mass_mail_id, refused=reason)
            raise CommandRefused(reason) from None
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise CommandRefused(_not_running(listed)) from None
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
            if not patience.expired():
                raise asyncio.CancelledError from None  # somebody else's cancellation, which the SDK hides
        await self._leave(handle, command)
        return listed.status

    async def _leave(self, handle: WorkflowHandle[MassMailWorkflow, Status], command: Command) -> None:
        """As a signal, which is obeyed as soon as a worker can."""
        try:
            await handle.signal(command.kind, command)
        except RPCError as error:
            raise EnvironmentFault(f"Temporal took no command ({error.status.name.lower()}); try again soon.") from None

    async def status(self, mass_mail_id: str) -> Report:
        """How it is; the workflow's last word if no worker answers."""
        return await report(self.services, mass_mail_id)

    async def until_loaded(self, mass_mail_id: str) -> AsyncIterator[int]:
        """How many recipients were read and checked so far, each second until all are, or it is stopped."""
        while (status := (await self.status(mass_mail_id)).status).state in _BEFORE_LOADED:
            if status.stages and status.stages[0].begun:
                return
            pending = (await self._handle(mass_mail_id).describe()).raw_description.pending_activities
            beats = [each.heartbeat_details for each in pending if each.activity_type.name == "load_recipients"]
            told = await self.temporal.data_converter.decode(beats[0].payloads) if beats else []
            yield sum(told)
            await asyncio.sleep(1)

    async def statistics(self, mass_mail_id: str) -> Statistics:
        """Its numbers and rates, by stage and in all, as the ledger is now; NotFound if there is none.

        ``services.statistics.behind`` tells, a page at a time, whom a number counts.
        """
        return await self.services.statistics.of(mass_mail_id)

    async def breakdown(self, mass_mail_id: str, stage: int | None = None) -> Breakdown:
        """The numbers by domain, provider, hour and link, and machines apart; of one stage, or all together."""
        return await self.services.statistics.breakdown(mass_mail_id, stage)

    async def list(self, folder: Folder | None = None, tag: str = "") -> Sequence[Listed]:
        """Mass mails, the newest first; of one folder, or all that aren't deleted. tag: only those that have it."""
        return await mass_mails_in(self.services, folder, tag)

    async def wait(self, mass_mail_id: str) -> Status:
        """Until it is finished or deleted; its last status."""
        await self.services.mass_mails.get(mass_mail_id)
        return await self._handle(mass_mail_id).result()

    async def limits(self) -> Sequence[LimitsInForce]:
        """How much each account may send, and who changed that when."""
        return await self.services.limits.all()

    async def change_limits(self, account: str, by: str, **changes: int | None) -> LimitsInForce:
        """For all workers, within seconds, and for mass mails that wait for one; None takes a limit away.

        CommandRefused unless by an administrator.
        """
        changed = await change_limits(self.services, account, by, changes)
        await tell_who_waits(self.temporal, account)
        return changed

    async def repair(self, by: str = "worker") -> Sequence[str]:
        """Bring back, stopped, every mass mail whose workflow was lost; their ids. by: who asks for it."""
        back = [listed.order.id for listed in await self.services.mass_mails.all() if await self._bring_back(listed)]
        for mass_mail_id in back:
            await self.services.audit.add("repair", by, mass_mail_id, after={"state": MassMailState.STOPPED})
        return back

    async def _bring_back(self, listed: Listed) -> bool:
        if listed.state.is_final or _is_being_started(listed) or await self._is_running(listed.order.id):
            return False
        reason = "its workflow was lost; restart it to go on where the ledger is"
        run = replace(
            self.as_run(listed.order),
            stopped=reason,
            epoch=listed.epoch,
            snapshot=listed.snapshot + 1,  # who was read by the lost one may be out of date
            version=listed.status.version,
            said=listed.status,
        )
        await self.services.ledger.close_all(listed.order.id)  # slices that are left over claim nothing more
        try:
            await self.run(run)
        except AlreadyExists:
            return False  # another process brought it back
        return True

    async def _is_running(self, mass_mail_id: str) -> bool:
        try:
            description = await self._handle(mass_mail_id).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return description.close_time is None

    async def _delete_finished(self, listed: Listed, by: str) -> Status:
        order, version = listed.order, listed.status.version + 1
        await self.require("delete", by, order.id, order.created_by)
        record = AuditRecord(
            at=datetime.now(UTC),
            by=by,
            act="delete",
            about=order.id,
            before={"state": listed.state},
            after={"state": MassMailState.DELETED},
            version=version,
        )
        deleted = replace(listed.status, state=MassMailState.DELETED, version=version)
        await self.services.mass_mails.record(replace(deleted, records=(record,)))
        return deleted

    async def require(self, act: str, by: str, about: str, created_by: str, what: str = "mass mail") -> None:
        """CommandRefused, on record, if the settings of now don't let this user do this."""
        if refused := self.services.settings.rights.refusal(act, by, created_by, what):
            await self.services.audit.add(act, by, about, refused=refused)
            raise CommandRefused(refused)

    def _handle(self, mass_mail_id: str) -> WorkflowHandle[MassMailWorkflow, Status]:
        return self.temporal.get_workflow_handle_for(
            MassMailWorkflow.run, names.mass_mail_workflow_id(mass_mail_id)
        )


def _is_being_started(listed: Listed) -> bool:
    """Its order is kept a moment before its workflow runs; nobody must bring it back in between."""
    return listed.status.version == 0 and datetime.now(UTC) - listed.created_at < START_TAKES


def _not_running(listed: Listed) -> str:
    if listed.state.is_final:
        return f"This mass mail is {listed.state.replace('_', ' ')}; it can't be changed any more."
    return f"The workflow of '{listed.order.id}' is lost; 'serienmail repair' brings it back, stopped."
