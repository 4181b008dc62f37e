"""Who answers a mass mail is answered once by itself, through a real mailbox and a real mail server."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.mailboxes import Reading
from serienmail.domain.errors import InvalidOrder, NotFound
from serienmail.domain.template import Template
from starter.inbox import ReceivedMail
from tests.mailing.imap_server import ImapServer, an_imap_server
from tests.world import World, world_on
from workflows.mailbox import MailboxWorkflow
from workflows.names import WORKFLOW_QUEUE

THANKS = Template("thanks", "Thank you", text="{{ salutation }},\nwe write to you soon.")


@pytest.fixture
async def mailbox() -> AsyncIterator[ImapServer]:
    """What answers come to."""
    async with an_imap_server() as server:
        yield server


@pytest.fixture
async def world(temporal: WorkflowEnvironment, tmp_path: Path, mailbox: ImapServer) -> AsyncIterator[World]:
    """An installation that reads this mailbox."""
    office = mailbox.mailbox.model_copy(update={"address": "mailing@example.com"})
    url = f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
    async with world_on(temporal, tmp_path, url, mailboxes={"office": office}) as world:
        await world.services.templates.add(THANKS, datetime.now(UTC))
        yield world


async def read(world: World, run: int) -> None:
    """The mailbox, from its beginning."""
    await world.mails.temporal.execute_workflow(
        MailboxWorkflow.run, Reading("office"), id=f"mailbox/office/{run}", task_queue=WORKFLOW_QUEUE
    )


def an_answer_to(mail: ReceivedMail, sender: str, number: int, **headers: str) -> bytes:
    """As a mail program writes it."""
    answer = EmailMessage()
    for name, value in {
        "From": sender, "To": "mailing@example.com", "Message-ID": f"<{number}@example.org>",
        "In-Reply-To": mail.message["Message-ID"].strip(),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }.items():  # fmt: skip
        answer[name] = value
    answer.set_content("Please call me.")
    return bytes(answer)


async def test_each_person_is_answered_once_and_no_program_ever(world: World, mailbox: ImapServer) -> None:
    await world.contacts(3)
    await world.start("answered", due=None, auto_answer="thanks")
    await world.mails.wait("answered")
    first, second, third = sorted(world.inbox.messages(), key=lambda mail: mail.recipient)
    mailbox.add(an_answer_to(first, first.recipient, 1))
    mailbox.add(an_answer_to(first, first.recipient, 2))
    mailbox.add(an_answer_to(second, second.recipient, 3, Auto_Submitted="auto-replied"))
    mailbox.add(an_answer_to(third, "eve@example.org", 4))
    for run in range(2):
        await read(world, run)
    (answer,) = [mail for mail in world.inbox.messages() if "Auto-Submitted" in mail.message]
    assert len(world.received()) == 4
    assert answer.recipient == first.recipient
    assert answer.message["Auto-Submitted"] == "auto-replied"
    assert answer.message["In-Reply-To"] == "<1@example.org>"
    assert answer.message["References"].split() == [first.message["Message-ID"].strip(), "<1@example.org>"]
    assert answer.message["Subject"] == "Auto: Thank you"
    assert "we write to you soon" in answer.message.get_content()

    mailbox.add(an_answer_to(answer, first.recipient, 5))
    await read(world, 2)
    assert len(world.received()) == 4


async def test_an_order_whose_answers_nobody_reads_or_without_its_template_is_refused(world: World) -> None:
    await world.contacts(1)
    with pytest.raises(NotFound, match="nothing"):
        await world.start("nothing", auto_answer="nothing")
    elsewhere = world.services.settings.accounts["marketing"].model_copy(update={"reply_to": "anna@example.com"})
    world.services.settings.accounts["marketing"] = elsewhere
    with pytest.raises(InvalidOrder, match="auto_answer"):
        await world.start("unread", auto_answer="thanks")
