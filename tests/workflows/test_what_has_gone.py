"""What a mass mail needs may go while it waits: it stops with the reason, sends nothing half, and goes on when told."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.criteria import InFilter, InList, where
from serienmail.domain.enclosure import Enclosed, Enclosures
from serienmail.domain.mass_mail import OnMissing
from serienmail.domain.states import MassMailState
from serienmail.domain.template import Template
from serienmail.mailing.identity import MailSettings
from serienmail.storage.tables import file
from tests.world import HOUR, OWNER, World, everybody, world_on

OFFER = b"%PDF offer"


async def an_attachment(world: World) -> dict[str, Any]:
    enclosed = Enclosed(await world.services.files.save(OFFER), "offer.pdf", "application/pdf", len(OFFER))
    offer = Template("offer", "Offer", text="{{ salutation }}", enclosures=Enclosures(files=(enclosed,)))
    await world.services.templates.add(offer, datetime.now(UTC))
    return {"template": "offer"}


async def without_attachment(world: World) -> None:
    async with world.services.database.write() as connection:
        await connection.execute(delete(file))


async def with_attachment(world: World) -> None:
    await world.services.files.save(OFFER)


async def a_filter(world: World) -> dict[str, Any]:
    await world.mails.recipients.save_filter("all", where("key").ne("0"), by=OWNER)
    return {"selection": await world.mails.select(InFilter("all"))}


async def without_filter(world: World) -> None:
    await world.mails.recipients.delete_filter("all", by=OWNER)


async def with_filter(world: World) -> None:
    await a_filter(world)


async def a_list(world: World) -> dict[str, Any]:
    await with_list(world)
    return {"selection": await world.mails.select(InList("fair"))}


async def without_list(world: World) -> None:
    await world.mails.recipients.delete_list("fair", by=OWNER)


async def with_list(world: World) -> None:
    await world.mails.recipients.create_list("fair", where("key").ne("0"), by=OWNER)


async def an_account(world: World) -> dict[str, Any]:
    accounts: Any = world.services.settings.accounts
    accounts["second"] = accounts["marketing"]
    return {"account": "second"}


async def without_account(world: World) -> None:
    accounts: Any = world.services.settings.accounts  # as workers that were started anew would have it
    del accounts["second"]


async def with_account(world: World) -> None:
    await an_account(world)


Step = Callable[[World], Awaitable[None]]
CASES: dict[str, tuple[Callable[[World], Awaitable[dict[str, Any]]], Step, Step, str]] = {
    "attachment": (an_attachment, without_attachment, with_attachment, "An attachment of the template isn't stored"),
    "filter": (a_filter, without_filter, with_filter, "there is no filter 'all'"),
    "list": (a_list, without_list, with_list, "there is no work list 'fair'"),
    "account": (an_account, without_account, with_account, "There is no sending account 'second'"),
}


@pytest.mark.parametrize("what", CASES)
async def test_what_has_gone_when_it_is_due_stops_it_until_it_is_back(world: World, what: str) -> None:
    needed, without, back, reason = CASES[what]
    await world.contacts(2)
    await world.start("autumn", **await needed(world))
    await world.until("autumn", MassMailState.SCHEDULED)
    await without(world)
    await world.skip("autumn", 2 * HOUR)
    status = await world.until("autumn", MassMailState.STOPPED)
    assert reason in status.reason
    assert world.received() == []
    await back(world)
    await world.mails.restart("autumn", by=OWNER, now=True)
    assert (await world.mails.wait("autumn")).state is MassMailState.FINISHED_AUTOMATICALLY
    assert world.received() == everybody(2)


async def test_a_template_that_is_saved_anew_changes_no_mass_mail_that_waits(world: World) -> None:
    await world.contacts(1)
    await world.start("autumn")
    await world.until("autumn", MassMailState.SCHEDULED)
    await world.services.templates.add(Template("autumn", "Quite another", text="x"), datetime.now(UTC))
    await world.skip("autumn", 2 * HOUR)
    await world.mails.wait("autumn")
    assert [mail.message["Subject"] for mail in world.inbox.messages()] == ["Autumn for you"]


@pytest.mark.parametrize("name", ["\N{GRINNING FACE}" * 100, "e\u0301" * 50])
async def test_the_longest_name_there_can_be_is_taken_by_temporal_too(world: World, name: str) -> None:
    await world.contacts(1)
    await world.start("autumn", due=None, name=name)
    assert (await world.mails.wait("autumn")).order.name == name


async def test_who_has_no_personal_file_is_excluded_alone_if_the_order_says_so(
    temporal: WorkflowEnvironment, tmp_path: Path
) -> None:
    folder = tmp_path / "personal"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"{number}.pdf").write_bytes(b"%PDF")
    letter = Template("contract", "Yours", text="x", enclosures=Enclosures(personal=("{{ contact.key }}.pdf",)))
    mail = MailSettings(personal_files=folder)
    async with world_on(temporal, tmp_path, f"sqlite+aiosqlite:///{tmp_path}/serienmail.db", mail=mail) as world:
        await world.contacts(2)
        await world.services.templates.add(letter, datetime.now(UTC))
        await world.start("contracts", template="contract", on_missing=OnMissing.EXCLUDE)
        await world.until("contracts", MassMailState.SCHEDULED)
        (folder / "2.pdf").unlink()
        await world.skip("contracts", 2 * HOUR)
        status = await world.until("contracts", MassMailState.INCOMPLETE)
        assert status.reason == "1 a placeholder is empty or can't be used"
        assert world.received() == everybody(1)
