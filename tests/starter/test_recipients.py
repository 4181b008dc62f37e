"""What users are promised about recipients, from the choice to the inbox."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.limits import Limits
from serienmail.domain.states import Folder, MassMailState
from serienmail.storage.deliveries import DeliveryList
from starter.people import People
from tests.builders import a_contact
from tests.starter.command_line import CommandLine, installation
from tests.world import OWNER, World, everybody, world_on


@pytest.fixture
async def world(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[World]:
    """An installation where a mass mail may have two recipients."""
    url = f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
    async with world_on(temporal, tmp_path, url, limits=Limits(recipients=2)) as world:
        yield world


@pytest.fixture
async def serienmail(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[CommandLine]:
    async with installation(temporal, tmp_path) as command_line:
        yield command_line


async def reasons(world: World, mass_mail_id: str) -> dict[str, str]:
    """By contact, why there was no mail; what the server said, if there was one."""
    stories = await DeliveryList(world.services.database).stories(mass_mail_id)
    return {story.contact: story.why if story.exclusion else story.state for story in stories}


async def test_who_was_over_the_limit_gets_it_when_it_is_sent_again(world: World) -> None:
    await world.contacts(3)
    await world.start("autumn", due=None)
    await world.until("autumn", MassMailState.INCOMPLETE)
    assert await reasons(world, "autumn") == {"1": "sent", "2": "sent", "3": "over the limit of a mass mail"}
    await world.mails.send_again("autumn", OWNER)
    await world.until("autumn", MassMailState.FINISHED_AUTOMATICALLY)
    assert world.received() == everybody(3)


async def test_who_opts_out_or_is_suppressed_while_the_mail_waits_gets_none(world: World) -> None:
    await world.contacts(2)
    await world.start("autumn")
    await world.until("autumn", MassMailState.SCHEDULED)
    await People(world.services).suppress("person1@example.org", OWNER)
    await world.services.contacts.save([a_contact(2, opt_in=False), a_contact(3)])
    await world.mails.stop("autumn", OWNER)
    await world.mails.restart("autumn", OWNER, now=True)
    await world.until("autumn", MassMailState.INCOMPLETE)
    assert await reasons(world, "autumn") == {
        "1": "on the suppression list: by hand", "2": "no opt-in for mass mail", "3": "sent",
    }  # fmt: skip
    assert world.received() == ["person3@example.org"]


async def test_one_person_with_two_addresses_gets_one_mail_and_the_other_record_says_whose(world: World) -> None:
    ida = a_contact(1, email="ida@work.example", other_addresses=("ida@home.example",))
    await world.services.contacts.save([ida, a_contact(2, email="Ida@Home.example")])
    await world.start("autumn", due=None)
    await world.until("autumn", MassMailState.FINISHED_AUTOMATICALLY)
    assert await reasons(world, "autumn") == {"1": "sent", "2": "duplicate of 1"}
    assert world.received() == ["ida@work.example"]


async def test_a_mass_mail_lies_in_the_folder_of_its_state(world: World) -> None:
    await world.contacts(1)

    async def lie_in(folder: Folder) -> list[str]:
        return [listed.order.id for listed in await world.mails.list(folder)]

    await world.start("later")
    await world.until("later", MassMailState.SCHEDULED)
    assert await lie_in(Folder.SCHEDULED) == ["later"]
    await world.mails.stop("later", OWNER)
    await world.until("later", MassMailState.STOPPED)
    assert (await lie_in(Folder.SCHEDULED), await lie_in(Folder.STOPPED)) == ([], ["later"])
    await world.mails.restart("later", OWNER, now=True)
    await world.until("later", MassMailState.FINISHED_AUTOMATICALLY)
    assert await lie_in(Folder.SENT) == ["later"]
    await world.mails.delete("later", OWNER)
    assert (await lie_in(Folder.SENT), await lie_in(Folder.DELETED)) == ([], ["later"])


async def test_mailing_people_without_an_opt_in_is_a_choice_that_warns_with_their_number(
    serienmail: CommandLine,
) -> None:
    people = [a_contact(1), a_contact(2, opt_in=False), a_contact(3, opt_in=False)]
    await serienmail.world.services.contacts.save(people)
    await serienmail.world.order("adds its templates")
    order = 'name = "Autumn"\naccount = "marketing"\ntemplate = "autumn"\neveryone = true\n'
    by_default = await serienmail("start", serienmail.write("order.toml", order), "--json", answer="n\n")
    assert (by_default.document["excluded"], by_default.document["will_receive"]) == ({"no_opt_in": 2}, 1)
    to_all = serienmail.write("all.toml", f"{order}opted_in_only = false\n")
    warned = await serienmail("start", to_all, answer="n\n")
    assert "WARNING: 2 of them have no opt-in for mass mail" in " ".join(warned.out.split())


async def test_an_import_that_was_killed_is_completed_by_the_next_and_two_at_once_agree(
    serienmail: CommandLine,
) -> None:
    rows = "".join(f"{n};person{n}@example.org;ja\n" for n in range(25_000))
    file = serienmail.write("many.csv", f"Nr;E-Mail;Newsletter\n{rows}")
    killed = await serienmail.open("import", file)
    await asyncio.sleep(2)
    killed.kill()
    await killed.wait()
    both = await asyncio.gather(*(serienmail("import", file, "--json") for _ in range(2)))
    assert [(ran.code, ran.document["rows"], ran.document["bad"]) for ran in both] == [(0, 25_000, [])] * 2, both[0].err
    assert await serienmail.world.services.contacts.count() == 25_000
