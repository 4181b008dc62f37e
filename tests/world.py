"""A whole small installation for tests: Temporal, database, inbox and workers, all real, all on loopback."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.mass_mail import MassMail
from serienmail.domain.states import MassMailState
from serienmail.domain.status import Status
from serienmail.domain.template import Template
from serienmail.mailing.account import Account
from serienmail.settings import Settings
from serienmail.storage.contacts import ContactRow
from serienmail.storage.database import Database
from serienmail.storage.migration import migrate
from serienmail.storage.tracking import Tracking
from starter.client import MassMails
from starter.inbox import Inbox
from starter.services import Services, open_services
from worker import build_workers
from workflows.names import mass_mail_workflow_id

OWNER = "a.schmidt"
AUTUMN = Template("autumn", "Autumn for {{ contact.city | default('you') }}", text="{{ salutation }},\nautumn is here.")
SOON = timedelta(hours=1)


@dataclass
class World:
    """What a test can see and do."""

    environment: WorkflowEnvironment
    services: Services
    mails: MassMails
    inbox: Inbox
    tracking: Tracking
    _working: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def contacts(self, count: int, **fields: object) -> None:
        """People with an address, an opt-in and consent to tracking."""
        rows = [
            ContactRow(
                **{
                    "key": str(n),
                    "last_name": f"Person{n}",
                    "email": f"person{n}@example.org",
                    "opt_in": True,
                    "tracking": True,
                    **fields,
                }
            )
            for n in range(1, count + 1)
        ]
        await self.services.contacts.save(rows)

    async def order(self, mass_mail_id: str, **fields: object) -> MassMail:
        """An order for everyone; due in an hour if nothing else is said."""
        await self.services.templates.add(AUTUMN, datetime.now(UTC))
        order = MassMail(id=mass_mail_id, name="Autumn", created_by=OWNER, account="marketing", template="autumn")
        return replace(order, **{"due": datetime.now(UTC) + SOON, **fields})  # type: ignore[arg-type]

    async def start(self, mass_mail_id: str, **fields: object) -> MassMail:
        """Order and start."""
        return await self.mails.start(await self.order(mass_mail_id, **fields))

    async def skip(self, mass_mail_id: str, duration: timedelta) -> None:
        """Let this much time pass for a mass mail."""
        handle = self.mails.temporal.get_workflow_handle(mass_mail_workflow_id(mass_mail_id))
        await self.environment.fast_forward(handle, duration)

    async def until(self, mass_mail_id: str, *states: MassMailState, within: float = 30) -> Status:
        """Wait, in real time, until lists show one of these states."""
        async with asyncio.timeout(within):
            while True:
                status = (await self.mails.status(mass_mail_id)).status
                if status.state in states:
                    return status
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
                await client.get_workflow_handle(entry.id, run_id=entry.run_id).terminate()
            await asyncio.sleep(0.05)


@asynccontextmanager
async def world_on(
    environment: WorkflowEnvironment, folder: Path, database_url: str, **settings: object
) -> AsyncIterator[World]:
    """A new installation on this Temporal server, with workers."""
    inbox = Inbox(folder / "inbox", 0)
    await inbox.start()
    account = Account(host="127.0.0.1", port=inbox.port, from_address="mailing@example.com", from_name="Marketing")
    given = Settings(
        database_url=database_url,
        link_key=SecretStr("k" * 32),
        accounts={"marketing": account},
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
