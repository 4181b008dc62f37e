"""Asking for consent, from the command to the link in the inbox."""

import asyncio
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from temporalio.service import RPCError

from serienmail.domain.errors import AlreadyExists, TemplateFault
from serienmail.domain.template import Template
from starter.consents import Consents
from tests.world import AUTUMN, HOUR, OWNER, World
from workflows.names import consent_request_workflow_id

ASK = Template("ask", "Do you agree?", text="{{ salutation }},\nyes: {{ confirm_url }}")
CLAIMS_AND_DIES = """
import asyncio, os, signal, sys
from datetime import UTC, datetime
from serienmail.storage.consent_requests import ConsentRequestStore
from serienmail.storage.database import Database

async def claim() -> None:
    assert await ConsentRequestStore(Database(sys.argv[1])).claim(int(sys.argv[2]), datetime.now(UTC))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(claim())
"""


async def test_somebody_is_asked_once_with_a_link_that_confirms(world: World) -> None:
    await world.contacts(1, opt_in=False)
    await world.services.templates.add(ASK, datetime.now(UTC))
    consents = Consents(world.mails)
    number = await consents.request("1", OWNER, "ask", "marketing")
    workflow = world.mails.temporal.get_workflow_handle(consent_request_workflow_id(number))
    assert await workflow.result() == "accepted"
    (mail,) = world.inbox.messages()
    assert mail.recipient == "person1@example.org"
    assert "http://127.0.0.1:8080/c/c" in mail.message.get_content()
    assert "List-Unsubscribe" not in mail.message
    with pytest.raises(AlreadyExists, match="was asked already"):
        await consents.request("1", OWNER, "ask", "marketing")
    assert [(entry.by, entry.act) for entry in await world.services.audit.of("consent")] == [(OWNER, "request")]


async def test_a_request_whose_worker_was_killed_before_it_handed_it_over_goes_out_all_the_same(world: World) -> None:
    await world.contacts(1, opt_in=False)
    await world.services.templates.add(ASK, datetime.now(UTC))
    await world.rest()
    number = await Consents(world.mails).request("1", OWNER, "ask", "marketing")
    database_url = world.services.settings.database_url
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", CLAIMS_AND_DIES, database_url, str(number))
    assert await killed.wait() == -signal.SIGKILL
    await world.work()
    workflow = world.mails.temporal.get_workflow_handle(consent_request_workflow_id(number))
    with suppress(RPCError):  # it is over before the two hours are
        await world.environment.fast_forward(workflow, 2 * HOUR)
    assert await workflow.result() == "accepted"
    assert world.received() == ["person1@example.org"]


async def test_a_template_without_the_link_asks_nobody(world: World) -> None:
    await world.contacts(1, opt_in=False)
    broken = Template("broken", "{{ contact.nickname }}", text="{{ confirm_url }}")
    for template, says in ((AUTUMN, "print confirm_url"), (broken, "uses contact.nickname, which no contact has")):
        await world.services.templates.add(template, datetime.now(UTC))
        with pytest.raises(TemplateFault, match=says):
            await Consents(world.mails).request("1", OWNER, template.name, "marketing")
    assert list(world.inbox.messages()) == []


async def test_a_mass_mail_cannot_be_ordered_with_a_request_s_template(world: World) -> None:
    await world.contacts(1)
    await world.services.templates.add(ASK, datetime.now(UTC))
    with pytest.raises(TemplateFault, match="confirm_url, which no contact has"):
        await world.start("wrong", template="ask")
