"""Who answers gets no follow-ups, if the order says so; and only if answers are read."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.delivery import MailRef
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.feedback import Feedback, Happening
from serienmail.domain.states import MassMailState
from serienmail.mailing.mailbox import Mailbox
from tests.world import DAY, World, follow_up, world_on

OFFICE = Mailbox(address="mailing@example.com", host="127.0.0.1", username="mailing", password=SecretStr("secret"))


@pytest.fixture
async def world(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[World]:
    """An installation that reads the mailbox that answers go to."""
    url = f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
    async with world_on(temporal, tmp_path, url, mailboxes={"office": OFFICE}) as world:
        yield world


async def test_who_answers_gets_no_follow_up(world: World) -> None:
    await world.contacts(3)
    await world.start("answered", due=None, follow_ups=(follow_up(1),), stop_on_reply=True)
    await world.until("answered", MassMailState.FOLLOWING_UP)
    number = (await world.services.mass_mails.get("answered")).number
    reply = Feedback(id="1", kind=Happening.REPLIED, at=datetime.now(UTC), mail=MailRef(number, 0, 2))
    await world.services.feedback.record([reply])
    await world.skip("answered", DAY)
    status = await world.mails.wait("answered")
    assert (await world.mails.status("answered")).stages[1].excluded == {"replied": 1}
    assert status.state is MassMailState.FINISHED_AUTOMATICALLY  # that is what its author wanted


async def test_an_order_whose_answers_nobody_reads_is_refused(world: World) -> None:
    elsewhere = world.services.settings.accounts["marketing"].model_copy(update={"reply_to": "anna@example.com"})
    world.services.settings.accounts["marketing"] = elsewhere
    await world.contacts(1)
    with pytest.raises(InvalidOrder, match="stop_on_reply"):
        await world.start("unread", stop_on_reply=True)
