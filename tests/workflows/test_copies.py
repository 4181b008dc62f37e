"""Copies go out with the mass mail: once to each employee, without a recipient's links, in no statistics."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.states import MassMailState
from serienmail.mailing.identity import Identity, MailSettings
from tests.builders import a_contact
from tests.world import OWNER, World, world_on

PEOPLE = {name: Identity(address=f"{name}@example.com") for name in (OWNER, "berg")}


@pytest.fixture
async def staffed(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[World]:
    url = f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
    async with world_on(
        temporal, tmp_path, url, mail=MailSettings(people=PEOPLE), permitted=("example.com",)
    ) as world:
        yield world


async def test_everybody_who_answers_for_recipients_gets_one_copy(staffed: World) -> None:
    owners = ["berg", "berg", OWNER, "gone"]
    await staffed.services.contacts.save([a_contact(n, owner=owner) for n, owner in enumerate(owners, start=1)])
    await staffed.start("autumn", copies=True, due=None)
    await staffed.until("autumn", MassMailState.FINISHED_AUTOMATICALLY)
    mails = list(staffed.inbox.messages())
    copies = {mail.recipient: mail.message for mail in mails if mail.recipient.endswith("@example.com")}
    assert sorted(copies) == [f"{OWNER}@example.com", "berg@example.com"]
    assert len(staffed.received()) == len(owners) + len(copies)
    for copy in copies.values():
        assert copy["Subject"].startswith("[Copy] Autumn for")
    tokens = {mail.message["List-Unsubscribe"] for mail in mails}
    assert len(tokens) == len(owners) + 1  # the copies share one that leads nowhere
    assert (await staffed.states("autumn"))[0] == {"sent": len(owners)}
    stories = {story.user: story.state for story in await staffed.services.copies.stories("autumn")}
    assert stories == {OWNER: "sent", "berg": "sent", "gone": "failed"}


async def test_without_being_asked_for_there_are_none(staffed: World) -> None:
    await staffed.contacts(1, owner="berg")
    await staffed.start("autumn", due=None)
    await staffed.until("autumn", MassMailState.FINISHED_AUTOMATICALLY)
    assert staffed.received() == ["person1@example.org"]
