"""A whole small installation for tests: Temporal, database, inbox and workers, all real, all on loopback."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import SecretStr
from sqlalchemy import select
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.commands import Phase, StageStatus
from serienmail.domain.delivery import StageKey
from serienmail.domain.judging import BURST, QUIET, Visit
from serienmail.domain.mass_mail import Audience, FollowUp, MassMail
from serienmail.domain.states import MassMailState
from serienmail.domain.status import Status
from serienmail.domain.template import Template
from serienmail.mailing.account import Account
from serienmail.settings import Settings
from serienmail.storage.database import Database
from serienmail.storage.migration import migrate
from serienmail.storage.tables import stage
from serienmail.storage.tracking import Tracking
from serienmail.storage.visits import VisitTo
from starter.client import MassMails
from starter.inbox import Inbox
from starter.reader import BROWSER
from starter.services import Services, open_services
from starter.triggering import Triggering
from tests.builders import a_contact
from worker import build_workers
from workflows.names import audience_workflow_id, mass_mail_workflow_id, stage_workflow_id

OWNER = "a.schmidt"
AUTUMN = Template("autumn", "Autumn for {{ contact.city | default('you') }}", text="{{ salutation }},\nautumn is here.")
WINTER = Template("winter", "Winter", text="{{ salutation }},\nwinter is here.", html="<p>{{ salutation }}</p>")
SOON = HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass
class World:
    """What a test can see and do."""

    environment: WorkflowEnvironment
    services: Services
    mails: MassMails
    inbox: Inbox
    tracking: Tracking
    _working: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def contacts(self, count: int, **fields: Any) -> None:
        """People with an address, an opt-in and consent to tracking."""
        rows = [a_contact(n, **{"last_name": f"Person{n}", **fields}) for n in range(1, count + 1)]
        await self.services.contacts.save(rows)

    async def order(self, mass_mail_id: str, **fields: object) -> MassMail:
        """An order for everyone; due in an hour if nothing else is said."""
        for template in (AUTUMN, WINTER):
            await self.services.templates.add(template, datetime.now(UTC))
        order = MassMail(id=mass_mail_id, name="Autumn", created_by=OWNER, account="marketing", template="autumn")
        return replace(order, **{"due": datetime.now(UTC) + SOON, **fields})  # type: ignore[arg-type]

    async def start(self, mass_mail_id: str, **fields: object) -> MassMail:
        """Order and start."""
        return await self.mails.start(await self.order(mass_mail_id, **fields))

    def workflow(self, mass_mail_id: str) -> WorkflowHandle[Any, Any]:
        """A mass mail's workflow."""
        return self.mails.temporal.get_workflow_handle(mass_mail_workflow_id(mass_mail_id))

    def sending(self, mass_mail_id: str, stage: int = 0, epoch: int = 1) -> WorkflowHandle[Any, Any]:
        """The workflow of one start of sending."""
        return self.mails.temporal.get_workflow_handle(stage_workflow_id(StageKey(mass_mail_id, stage), epoch))

    def delivery_of_follow_up(self, mass_mail_id: str, stage: int, epoch: int) -> WorkflowHandle[Any, Any]:
        """The delivery inside one start of a follow-up."""
        return self.mails.temporal.get_workflow_handle(audience_workflow_id(StageKey(mass_mail_id, stage), epoch))

    async def opened(self, *seqs: int, link: int = 0, stage: int = 0, at: datetime | None = None) -> None:
        """People open these mails of the test's only mass mail, or click on a link in them; now, or then."""
        came = Visit(at=at or datetime.now(UTC) - BURST, link=link, agent=BROWSER["User-Agent"])
        await self.services.visits.record([VisitTo(uuid4().hex, 1, stage, seq, came) for seq in seqs])

    async def triggered(self) -> None:
        """What was set off is started, as worker.py does it again and again."""
        await self.services.visits.judge(datetime.now(UTC) + QUIET)
        await Triggering(self.mails.temporal, self.services.triggers).start_some()

    async def details(self, workflow: WorkflowHandle[Any, Any]) -> str:
        """What the Temporal UI shows as a workflow's current details."""
        metadata = await workflow.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        return str(metadata.current_details)

    async def skip(self, mass_mail_id: str, duration: timedelta) -> None:
        """Let this much time pass for a mass mail."""
        await self.environment.fast_forward(self.workflow(mass_mail_id), duration)

    async def now(self, mass_mail_id: str) -> datetime:
        """The time of a mass mail, which skipping has moved."""
        info = await self.environment.get_time_skipping_info(self.workflow(mass_mail_id))
        return info.current_time.ToDatetime(UTC) if info else datetime.now(UTC)

    async def until(self, mass_mail_id: str, *states: MassMailState, within: float = 30) -> Status:
        """Wait, in real time, until lists show one of these states."""
        async with asyncio.timeout(within):
            while True:
                status = (await self.mails.status(mass_mail_id)).status
                if status.state in states:
                    return status
                await asyncio.sleep(0.05)

    async def until_phase(self, mass_mail_id: str, stage: int, phase: Phase) -> StageStatus:
        """Wait, in real time, until lists show this stage in this phase."""
        async with asyncio.timeout(30):
            while True:
                status = (await self.mails.status(mass_mail_id)).status
                if stage < len(status.stages) and status.stages[stage].phase is phase:
                    return status.stages[stage]
                await asyncio.sleep(0.05)

    async def until_closed(self, mass_mail_id: str, number: int = 0) -> None:
        """Wait, in real time, until nothing of a stage can be claimed any more."""
        this = select(stage.c.open).where(stage.c.mass_mail_id == mass_mail_id, stage.c.number == number)
        async with asyncio.timeout(30):
            while True:
                async with self.services.database.read() as connection:
                    if not (await connection.execute(this)).scalar_one():
                        return
                await asyncio.sleep(0.02)

    async def until_received(self, mails: int) -> None:
        """Wait, in real time, until so many mails are in the inbox."""
        async with asyncio.timeout(30):
            while True:
                if len(self.received()) >= mails:
                    return
                await asyncio.sleep(0.02)

    async def states(self, mass_mail_id: str) -> list[dict[str, int]]:
        """How many recipients of each stage are in which state."""
        report = await self.mails.status(mass_mail_id)
        return [dict(report.stages[stage].by_state) for stage in sorted(report.stages)]

    async def until_states(self, mass_mail_id: str, *expected: dict[str, int]) -> None:
        """Wait, in real time, until so many recipients of each stage are in these states."""
        async with asyncio.timeout(30):
            while True:
                if await self.states(mass_mail_id) == [*expected]:
                    return
                await asyncio.sleep(0.05)

    async def until_recorded(self, by: str, act: str, about: str) -> None:
        """Wait, in real time, until it is on record that somebody gave this command, and was obeyed."""
        async with asyncio.timeout(30):
            while True:
                known = await self.services.audit.of(about)
                if any((record.by, record.act, record.refused) == (by, act, "") for record in known):
                    return
                await asyncio.sleep(0.05)

    def received(self) -> Sequence[str]:
        """The envelope recipients of everything in the inbox, sorted."""
        return sorted(mail.recipient for mail in self.inbox.messages())

    async def work(self) -> None:
        """Start workers."""
        for worker in build_workers(self.mails.temporal, self.services):
            await self._working.enter_async_context(worker)

    async def rest(self) -> None:
        """Stop the workers, mails in hand first."""
        await self._working.aclose()

    async def end(self) -> None:
        """Leave nothing running that the next test's workers would find."""
        await self.rest()
        client = self.mails.temporal
        while running := [entry async for entry in client.list_workflows("ExecutionStatus = 'Running'")]:
            for entry in running:
                with suppress(RPCError):  # it ended meanwhile
                    await client.get_workflow_handle(entry.id, run_id=entry.run_id).terminate()
            await asyncio.sleep(0.05)


def follow_up(days: int, audience: Audience = Audience.RECEIVED, template: str = "autumn", **fields: Any) -> FollowUp:
    """A follow-up so many days after the mass mail's end."""
    return FollowUp(template=template, audience=audience, after=timedelta(days=days), **fields)


def everybody(count: int) -> list[str]:
    """The addresses of so many contacts, as ``received`` sorts them."""
    return sorted(f"person{n}@example.org" for n in range(1, count + 1))


def an_account(port: int, **fields: Any) -> Account:
    """An account on a mail server of this machine."""
    return Account(host="127.0.0.1", port=port, from_address="mailing@example.com", from_name="Marketing", **fields)


@asynccontextmanager
async def world_on(
    environment: WorkflowEnvironment,
    folder: Path,
    database_url: str,
    *,
    accounts: Mapping[str, Account] | None = None,
    permitted: tuple[str, ...] = (),
    **settings: object,
) -> AsyncIterator[World]:
    """A new installation on this Temporal server, with workers. accounts: besides ``marketing``, on the inbox.

    permitted: addresses that ``marketing`` may write besides its own.
    """
    inbox = Inbox(folder / "inbox", 0)
    await inbox.start()
    given = Settings(
        database_url=database_url,
        link_key=SecretStr("k" * 32),
        accounts={"marketing": an_account(inbox.port, permitted=permitted), **(accounts or {})},
        administrators=("root",),
        **settings,  # type: ignore[arg-type]
    )
    database = Database(database_url)
    await migrate(database)
    async with open_services(given) as services:
        mails = MassMails(services, environment.client)
        world = World(environment, services, mails, inbox, Tracking(database))
        with environment.with_time_skipping_disabled():
            await world.work()
            try:
                yield world
            finally:
                await world.end()
    await database.close()
    await inbox.stop()
