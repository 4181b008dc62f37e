"""The suppression list and a person's data from the command line, and the record of who did what."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.states import MassMailState
from tests.starter.command_line import CommandLine, installation

USERS = '{"a.schmidt": "send", "vera": "view", "carla": "administer"}'


@pytest.fixture
async def serienmail(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[CommandLine]:
    async with installation(temporal, tmp_path) as command_line:
        yield command_line


async def test_an_address_comes_onto_the_list_and_off_it(serienmail: CommandLine) -> None:
    for says in ("It is on the list.", "It was on the list already."):
        assert (await serienmail("suppressions", "add", "Anna@Example.org", "--topic", "Wine")).out.strip() == says
    file = serienmail.write("bounces.csv", "address,reason\nb@example.org,bounced\nnobody,bounced\n")
    imported = await serienmail("suppressions", "import", file)
    assert (imported.code, "1 added, 0 on the list already, 1 not usable." in imported.out) == (1, True)
    listed = (await serienmail("suppressions", "list", "--json")).document
    assert [(entry["address_key"], entry["topic"], entry["reason"]) for entry in listed] == [
        ("anna@example.org", "Wine", "by_hand"), ("b@example.org", "", "bounced"),
    ]  # fmt: skip
    assert (await serienmail("suppressions", "export", "list.csv")).out.strip() == "2 entries are in list.csv."
    assert (await serienmail("suppressions", "remove", "anna@example.org", "--by", "root")).code == 0
    again = (await serienmail("suppressions", "import", "list.csv", "--json")).document
    assert (again["added"], again["known"], again["bad"]) == (1, 1, [])
    gone = await serienmail("suppressions", "remove", "nobody@example.org")
    assert "This address isn't on the suppression list" in gone.err


async def test_a_person_is_exported_and_erased_and_the_record_does_not_tell_who(serienmail: CommandLine) -> None:
    await serienmail.world.contacts(2)
    await serienmail.world.start("autumn")
    await serienmail.world.until("autumn", MassMailState.SCHEDULED)
    known = (await serienmail("person", "export", "Person1@example.org")).document
    assert [row["last_name"] for row in known["contacts"]] == ["Person1"]
    assert [row["mass_mail"] for row in known["mails"]] == ["Autumn"]
    asked = await serienmail("person", "erase", "person1@example.org", answer="n\n")
    assert (asked.code, "Nothing was erased." in asked.err) == (1, True)
    erased = (await serienmail("person", "erase", "person1@example.org", "--yes", "--json")).document
    assert erased == {"contacts": 1, "mails": 1, "consents": 2, "places": 0, "criteria": 0}
    assert await serienmail.world.states("autumn") == [{"excluded": 1, "pending": 1}]
    audit = await serienmail("audit", "--json")
    assert [(entry["act"], entry["about"]) for entry in audit.document] == [
        ("start", "autumn"), ("export", "person"), ("erase", "person"),
    ]  # fmt: skip
    assert "erson1" not in audit.out


async def test_who_may_do_what_is_a_matter_of_the_settings(serienmail: CommandLine) -> None:
    await serienmail.world.contacts(1)
    for by, arguments in (
        ("vera", ("suppressions", "add", "anna@example.org")),
        ("a.schmidt", ("person", "erase", "anna@example.org", "--yes")),
        ("eve", ("suppressions", "export", "list.csv")),
    ):
        refused = await serienmail(*arguments, "--by", by, SERIENMAIL_USERS=USERS)
        assert (refused.code, "ask an administrator" in refused.err) == (1, True), refused.err
    erased = await serienmail("person", "erase", "anna@example.org", "--yes", "--by", "carla", SERIENMAIL_USERS=USERS)
    assert erased.code == 0, erased.err
    audit = await serienmail("audit")
    assert audit.out.count("refused: ") == 3
