"""Who ordered a mass mail is told by mail when its recipients are read, and can still change it then."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.commands import Edit
from serienmail.domain.criteria import where
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.states import MassMailState
from serienmail.mailing.identity import Identity, MailSettings
from tests.builders import a_contact
from tests.world import HOUR, OWNER, World, everybody, world_on

ADDRESS, UI = f"{OWNER}@example.com", "https://temporal.example.org"


@pytest.fixture
async def world(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[World]:
    url = f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
    mail = MailSettings(people={OWNER: Identity(address=ADDRESS)})
    async with world_on(temporal, tmp_path, url, mail=mail, permitted=("example.com",), temporal_ui=UI) as world:
        await world.services.contacts.save([a_contact(1, city="Ulm"), a_contact(2), a_contact(3, opt_in=False)])
        yield world


def notices(world: World) -> list[str]:
    return [mail.message.get_content() for mail in world.inbox.messages() if mail.recipient == ADDRESS]


async def test_it_comes_when_they_are_read_and_again_after_an_edit_and_not_when_it_is_due(world: World) -> None:
    await world.start("told", notify=True)
    await world.until_received(1)
    [notice] = notices(world)
    assert "2 of the 3 recipients selected for 'Autumn' will get it." in notice
    assert "- no opt-in for mass mail: 1" in notice
    assert f"{UI}/namespaces/default/workflows/{quote('mass-mail/told', safe='')}" in notice
    [mail] = world.inbox.messages()
    assert (mail.message["Auto-Submitted"], mail.message["List-Unsubscribe"]) == ("auto-generated", None)

    await world.until("told", MassMailState.SCHEDULED)
    await world.mails.edit("told", Edit(by=OWNER, selection=await world.mails.select(where("city").eq("Ulm"))))
    await world.until_received(2)
    assert "1 of the 1 recipients selected" in notices(world)[1]
    await world.skip("told", 2 * HOUR)
    await world.mails.wait("told")
    assert world.received() == sorted([ADDRESS, ADDRESS, *everybody(1)])


async def test_nobody_asked_for_it_and_nobody_is_told(world: World) -> None:
    await world.start("untold", due=None)
    await world.until("untold", MassMailState.INCOMPLETE)
    assert notices(world) == []


async def test_who_has_no_address_cannot_ask_for_it(world: World) -> None:
    with pytest.raises(InvalidOrder, match="Your notice has no address to go to"):
        await world.start("nowhere", notify=True, created_by="nobody")
