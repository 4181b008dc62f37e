"""Record the histories that test_replay.py replays; once for each release.

python -m tests.histories.record
"""

import asyncio
import json
import os
import re
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.mailboxes import MailboxActivities, Reading
from serienmail.domain.activity import NewTask
from serienmail.domain.commands import Edit, Phase
from serienmail.domain.crm_record import CrmRecord, Extent
from serienmail.domain.mass_mail import Audience, CountedFrom
from serienmail.domain.states import MassMailState
from serienmail.domain.template import Template
from serienmail.domain.trigger import On, Trigger, Triggered
from serienmail.mailing.identity import Identity, MailSettings
from serienmail.mailing.links import Links
from serienmail.mailing.mailbox import MailboxReader
from starter.consents import Consents
from starter.temporal_server import start_temporal
from tests.builders import a_contact
from tests.mailing.imap_server import an_imap_server
from tests.mailing.smtp_server import listening
from tests.workflows.slow_server import SlowServer
from tests.world import DAY, HOUR, OWNER, World, an_account, follow_up, world_on
from workflows.mailbox import MailboxWorkflow
from workflows.names import consent_request_workflow_id, trigger_workflow_id

FOLDER = Path(__file__).parent


async def record() -> None:
    """One campaign, written down at each step of its life."""
    environment = await start_temporal()
    server = SlowServer()
    with tempfile.TemporaryDirectory() as folder:
        database_url = f"sqlite+aiosqlite:///{folder}/serienmail.db"
        async with environment, listening(server) as port:
            accounts = {"slow": an_account(port, connections=5)}
            async with world_on(environment, Path(folder), database_url, accounts=accounts) as world:
                await world.contacts(8)
                await _with_crm(world)
                await _campaign(world, server)
            await record_what_is_besides(environment, Path(folder))


async def record_what_is_besides(environment: WorkflowEnvironment, folder: Path) -> None:
    """Copies, a second sending, a request for consent and a mailbox, in an installation of their own."""
    mail = MailSettings(people={OWNER: Identity(address=f"{OWNER}@example.com")})
    url = f"sqlite+aiosqlite:///{folder}/besides.db"
    async with world_on(environment, folder, url, mail=mail, permitted=("example.com",)) as world:
        await world.services.contacts.save([a_contact(1), a_contact(2, opt_in=False)])
        await world.start("again", due=None, copies=True, follow_ups=(follow_up(0),))
        await world.until("again", MassMailState.INCOMPLETE)
        await world.services.contacts.save([a_contact(2)])
        await world.mails.send_again("again", by=OWNER)
        await world.mails.wait("again")
        await _write("sent-again-with-copies", world.workflow("again"))
        await _write("asked-when-due", await _asked_when_due(world))
        await world.services.contacts.save([a_contact(3, opt_in=False)])
        await world.services.templates.add(Template("ask", "?", text="{{ confirm_url }}"), datetime.now(UTC))
        number = await Consents(world.mails).request("3", OWNER, "ask", "marketing")
        asked: WorkflowHandle[Any, Any] = world.mails.temporal.get_workflow_handle(consent_request_workflow_id(number))
        await asked.result()
        await _write("consent-request", asked)
        await _mailbox(world)


async def _asked_when_due(world: World) -> WorkflowHandle[Any, Any]:
    """One whose recipients are read twice, and whose author is told of it."""
    await world.start("asked-when-due", notify=True)
    await world.until("asked-when-due", MassMailState.SCHEDULED)
    await world.skip("asked-when-due", 2 * HOUR)
    await world.mails.wait("asked-when-due")
    return world.workflow("asked-when-due")


async def _mailbox(world: World) -> None:
    async with an_imap_server() as server:
        reader = MailboxReader({"office": server.mailbox}, Links("", b"k" * 32))
        reads = MailboxActivities(reader, world.services.feedback, world.services.answers).read_mailbox
        client = world.mails.temporal
        async with Worker(client, task_queue="mailbox", workflows=[MailboxWorkflow], activities=[reads]):
            read = await client.start_workflow(
                MailboxWorkflow.run, Reading("office"), id="mailbox/office", task_queue="mailbox"
            )
            await read.result()
        await _write("mailbox-answering", read)  # "mailbox" is of before


async def _with_crm(world: World) -> None:
    """A mass mail that leaves activities, and what its first recipient sets off."""
    opened = Trigger(on=On.OPENED, tasks=(NewTask(subject="Write to them"),))
    await world.start("kept", due=None, triggers=(opened,), crm=CrmRecord(activities=Extent.EACH))
    await world.mails.wait("kept")
    await _write("kept-in-crm", world.workflow("kept"))
    await world.opened(1)
    await world.triggered()
    set_off = world.mails.temporal.get_workflow_handle(trigger_workflow_id(Triggered("kept", 0, 1, opened.key)))
    await set_off.result()
    await _write("triggered", set_off)


async def _campaign(world: World, server: SlowServer) -> None:
    campaign, first, second = world.workflow("campaign"), world.sending("campaign"), world.sending("campaign", epoch=2)
    order = await world.start("campaign", account="slow", follow_ups=(follow_up(1), follow_up(3)))
    await world.until("campaign", MassMailState.SCHEDULED)
    await _write("waiting", campaign)
    later = order.due and order.due + HOUR
    await world.mails.edit("campaign", Edit(by=OWNER, due=later, template="winter"))
    await world.until("campaign", MassMailState.SCHEDULED)
    await _write("edited", campaign)
    await world.mails.stop("campaign", by=OWNER)
    await world.until("campaign", MassMailState.STOPPED)
    await _write("stopped", campaign)
    await world.mails.restart("campaign", by=OWNER, now=True)
    await server.until_in_hand(5)
    await _write("restarted", campaign)
    await _write("sending", first)
    await world.mails.stop("campaign", by=OWNER)
    await world.until_closed("campaign")
    server.go_on()
    await world.until("campaign", MassMailState.STOPPED)
    await _write("stopped-while-sending", campaign)
    await _write("sending-stopped", first)
    await world.mails.restart("campaign", by=OWNER)
    await world.until("campaign", MassMailState.FOLLOWING_UP)
    await _write("following-up", campaign)
    await _write("sent", second)
    await world.skip("campaign", 4 * DAY)
    await world.mails.wait("campaign")
    await _write("finished", campaign)
    await _write("follow-up", world.sending("campaign", stage=1, epoch=3))
    await _write("cancelled", await _cancelled(world))
    await _write("one-by-one", await _one_by_one(world))


async def _cancelled(world: World) -> WorkflowHandle[Any, Any]:
    await world.start("cancelled")
    await world.until("cancelled", MassMailState.SCHEDULED)
    await world.workflow("cancelled").cancel()
    await world.until("cancelled", MassMailState.STOPPED)
    return world.workflow("cancelled")


async def _one_by_one(world: World) -> WorkflowHandle[Any, Any]:
    each = follow_up(3, Audience.CLICKED, counted_from=CountedFrom.EVENT)
    await world.start("one-by-one", due=None, follow_ups=(each,))
    await world.until_phase("one-by-one", 1, Phase.WAITING_TO_CONTINUE)
    return world.delivery_of_follow_up("one-by-one", 1, 2)


async def _write(name: str, workflow: WorkflowHandle[Any, Any]) -> None:
    history = _impersonal(json.loads((await workflow.fetch_history()).to_json()))
    (FOLDER / f"{name}.json").write_text(json.dumps(history, indent=1) + "\n")


def _impersonal(part: Any) -> Any:
    """Without the machine it was recorded on: processes are named pid@host, and stack traces show paths."""
    if isinstance(part, list):
        return [_impersonal(item) for item in part]
    if isinstance(part, dict):
        return {name: _impersonal(value) for name, value in part.items() if name != "stackTrace"}
    return "worker" if isinstance(part, str) and re.match(r"\d+@", part) else part


def main() -> None:
    """Record, and end without the SDK's threads (they crash half of the ordinary exits)."""
    asyncio.run(record())
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
