"""Nothing about a recipient enters a workflow's history, not even when everything goes wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.commands import Edit
from serienmail.domain.criteria import Comparison, Operator
from serienmail.domain.mass_mail import Audience
from serienmail.domain.states import MassMailState
from serienmail.domain.template import Template
from starter.temporal_server import start_temporal
from tests.builders import a_contact
from tests.mailing.smtp_server import Server, listening
from tests.world import DAY, OWNER, World, an_account, follow_up, world_on

NAME, PLACE, MAILBOX = "Quetzalcoatl", "Xochimilco", "axolotl"
PLANTED = [word.encode() for word in (NAME, PLACE, MAILBOX)]
ECHO = f"{MAILBOX}1@example.org {NAME}"
FIRM = Template("firm", "For {{ contact.last_name }}", text="{{ contact.company }} in {{ contact.city }}")
FAULTY = Template("faulty", "For {{ contact.last_name }}", text="{{ contact.city | round }}")
PEOPLE = [
    a_contact(n, last_name=NAME, city=PLACE, company="Example Ltd", email=f"{MAILBOX}{n}@example.org")
    for n in range(1, 6)
]


@pytest.fixture
async def own_temporal() -> AsyncIterator[WorkflowEnvironment]:
    """A server of its own, so that every workflow on it belongs to this test."""
    environment = await start_temporal()
    async with environment:
        yield environment


@pytest.fixture
async def server() -> Server:
    """A mail server that shows the recipient in each of its answers."""
    return Server()


@pytest.fixture
async def world(own_temporal: WorkflowEnvironment, server: Server, tmp_path: Path) -> AsyncIterator[World]:
    """An installation whose contacts and templates are planted with words that can be found again."""
    async with listening(server) as port:
        accounts = {"echo": an_account(port)}
        database_url = f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
        async with world_on(own_temporal, tmp_path, database_url, accounts=accounts) as world:
            for template in (FIRM, FAULTY):
                await world.services.templates.add(template, datetime.now(UTC))
            await world.services.contacts.save(PEOPLE)
            yield world


async def everything_on(client: Client) -> tuple[bytes, list[str]]:
    """All that the server knows of all its workflows, undecoded, and their ids."""
    found, ids = b"", []
    async for entry in client.list_workflows():
        handle = client.get_workflow_handle(entry.id, run_id=entry.run_id)
        ids.append(entry.id)
        found += (await handle.describe()).raw_description.SerializeToString()  # memo, pending activities, heartbeats
        for event in (await handle.fetch_history()).events:
            found += event.SerializeToString()
    return found, ids


async def until_an_activity_failed(workflow: WorkflowHandle[Any, Any]) -> None:
    async with asyncio.timeout(30):
        while True:
            with suppress(RPCError):  # it isn't started yet
                described = (await workflow.describe()).raw_description
                if any("log has the details" in str(pending.last_failure) for pending in described.pending_activities):
                    return
            await asyncio.sleep(0.05)


async def assert_nothing_planted(world: World, *expected: str) -> None:
    found, ids = await everything_on(world.mails.temporal)
    assert set(expected) <= set(ids)
    assert f'"created_by":"{OWNER}"'.encode() in found  # payloads are readable: neither compressed nor encoded
    assert [word for word in PLANTED if word in found] == []


async def test_a_campaign_with_refusals_and_follow_ups(world: World, server: Server) -> None:
    place = await world.mails.select(Comparison("city", Operator.EQ, PLACE))
    nobody = await world.mails.select(Comparison("last_name", Operator.NE, NAME))
    rules = (follow_up(1, Audience.NOT_OPENED, "firm", ignore=nobody), follow_up(2, Audience.RECEIVED, "winter"))
    server.answers["rcpt"] = f"451 4.7.1 {ECHO}"
    await world.start("campaign", due=None, template="firm", account="echo", selection=place, follow_ups=rules)
    await world.until("campaign", MassMailState.WAITING_TO_CONTINUE)
    await world.services.contacts.save([a_contact(2, last_name=NAME, email=f"{MAILBOX}2@example.org")])
    del server.answers["rcpt"]
    await world.environment.fast_forward(world.sending("campaign"), timedelta(minutes=7))
    await world.until("campaign", MassMailState.FOLLOWING_UP)
    assert await world.tracking.unsubscribed(1, 0, 3, datetime.now(UTC))
    server.answers["rcpt"] = f"554 5.3.0 {ECHO}"
    await world.skip("campaign", 3 * DAY)
    await world.until("campaign", MassMailState.INCOMPLETE_WITH_ERRORS)
    assert await world.states("campaign") == [
        {"sent": 4, "excluded": 1},
        {"rejected": 3, "excluded": 1},
        {"rejected": 3, "excluded": 1},
    ]
    await assert_nothing_planted(world, "mass-mail/campaign", "mass-mail/campaign/stage-1/2/delivery")


async def test_a_mail_server_that_is_down_and_an_account_that_is_refused(world: World, server: Server) -> None:
    server.answers["connect"] = f"421 4.3.2 {ECHO}"
    await world.start("down", due=None, account="echo")
    await world.until("down", MassMailState.SENDING)
    await world.environment.fast_forward(world.sending("down"), timedelta(minutes=1))
    await world.until("down", MassMailState.WAITING_TO_CONTINUE)
    await assert_nothing_planted(world, "mass-mail/down/stage-0/1")
    del server.answers["connect"]
    server.answers["mail"] = f"535 5.7.8 {ECHO}"
    await world.environment.fast_forward(world.sending("down"), timedelta(minutes=6))
    await world.until("down", MassMailState.STOPPED)
    await assert_nothing_planted(world, "mass-mail/down")


async def test_a_template_that_fails_and_a_placeholder_that_is_empty(world: World) -> None:
    await world.start("faulty")
    await world.until("faulty", MassMailState.SCHEDULED)
    await world.mails.submit("faulty", Edit(by=OWNER, template="faulty@1"))
    status = await world.until("faulty", MassMailState.STOPPED)
    assert status.reason == "For 5 of the recipients the template's text can't be rendered (TypeError); correct it."
    await world.mails.edit("faulty", Edit(by=OWNER, template="firm"))
    await world.services.contacts.save([a_contact(2, last_name=NAME, email=f"{MAILBOX}2@example.org")])
    await world.mails.restart("faulty", by=OWNER)
    await until_the_reason_is(world, "contact.company for 1")
    await assert_nothing_planted(world, "mass-mail/faulty")


async def until_the_reason_is(world: World, part: str) -> None:
    """That it is loaded again may be over before anybody sees it."""
    async with asyncio.timeout(30):
        while True:
            if part in (await world.mails.status("faulty")).status.reason:
                return
            await asyncio.sleep(0.05)


async def test_a_database_error(world: World) -> None:
    await world.start("broken")
    await world.until("broken", MassMailState.SCHEDULED)
    async with world.services.database.write() as connection:
        await connection.exec_driver_sql(
            "CREATE TRIGGER fails BEFORE UPDATE ON delivery BEGIN SELECT RAISE(ABORT, 'Xochimilco Quetzalcoatl'); END"
        )
    await world.skip("broken", DAY / 24)
    await until_an_activity_failed(world.sending("broken"))
    await assert_nothing_planted(world, "mass-mail/broken")
    async with world.services.database.write() as connection:
        await connection.exec_driver_sql("DROP TRIGGER fails")
    await world.mails.delete("broken", by=OWNER)
    await world.mails.wait("broken")
