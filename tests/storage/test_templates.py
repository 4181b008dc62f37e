"""A template's revisions are added and never changed."""

import asyncio
from dataclasses import replace

import pytest

from serienmail.domain.enclosure import Enclosed, Enclosures
from serienmail.domain.errors import NotFound
from serienmail.domain.sender import Sender, Whose
from serienmail.domain.template import Template, TemplateRef
from serienmail.storage.database import Database
from serienmail.storage.templates import TemplateStore
from tests.builders import NOON

AUTUMN = Template("autumn", "Herbst", text="Hallo {{ contact.first_name }}", html="<p>Hallo</p>")


async def test_each_change_is_a_new_revision_and_the_old_one_stays(database: Database) -> None:
    store = TemplateStore(database)
    first = await store.add(AUTUMN, NOON)
    second = await store.add(replace(AUTUMN, subject="Spätherbst"), NOON)
    assert [str(first), str(second)] == ["autumn@1", "autumn@2"]
    assert await store.get(first) == replace(AUTUMN, revision=1)
    assert (await store.get(second)).subject == "Spätherbst"


async def test_the_same_content_again_is_no_new_revision(database: Database) -> None:
    store = TemplateStore(database)
    assert await store.add(AUTUMN, NOON) == await store.add(AUTUMN, NOON)
    await store.add(replace(AUTUMN, subject="Spätherbst"), NOON)
    assert str(await store.add(AUTUMN, NOON)) == "autumn@3"


async def test_two_changes_at_once_are_two_revisions(database: Database) -> None:
    changes = [replace(AUTUMN, subject=f"Herbst {number}") for number in range(5)]
    refs = await asyncio.gather(*(TemplateStore(database).add(change, NOON) for change in changes))
    assert sorted(ref.revision for ref in refs) == [1, 2, 3, 4, 5]


async def test_the_newest_revision_is_found_by_name_and_a_named_one_is_that_one(database: Database) -> None:
    store = TemplateStore(database)
    await store.add(AUTUMN, NOON)
    await store.add(replace(AUTUMN, subject="Spätherbst"), NOON)
    await store.add(replace(AUTUMN, name="advent"), NOON)
    assert str(await store.newest("autumn")) == "autumn@2"
    assert str(await store.newest("autumn@1")) == "autumn@1"
    assert [str(ref) for ref in await store.names()] == ["advent@1", "autumn@2"]


async def test_an_unknown_template_is_told(database: Database) -> None:
    store = TemplateStore(database)
    for name in ("winter", "winter@1"):
        with pytest.raises(NotFound, match="no template 'winter';"):
            await store.newest(name)
    await store.add(AUTUMN, NOON)
    with pytest.raises(NotFound, match="no template 'autumn@3';"):
        await store.get(TemplateRef("autumn", 3))


async def test_a_draft_changes_in_place_until_it_becomes_a_revision(database: Database) -> None:
    store = TemplateStore(database)
    await store.keep_draft(AUTUMN, NOON)
    assert str(await store.keep_draft(replace(AUTUMN, subject="Spätherbst"), NOON)) == "autumn@0"
    with pytest.raises(NotFound, match="no template 'autumn'"):
        await store.newest("autumn")
    assert str(await store.publish("autumn", NOON)) == "autumn@1"
    assert (await store.get(TemplateRef("autumn", 1))).subject == "Spätherbst"
    with pytest.raises(NotFound, match="no draft of 'autumn'"):
        await store.publish("autumn", NOON)


async def test_a_revision_remembers_what_goes_along_and_who_it_is_from(database: Database) -> None:
    store = TemplateStore(database)
    files = Enclosures((Enclosed("0" * 64, "a.pdf", "application/pdf", 7),), ("{{ contact.key }}.pdf",))
    letter = replace(AUTUMN, enclosures=files, sender=Sender(from_=Whose.OWNER, name="Anna"))
    assert str(await store.add(AUTUMN, NOON)) == "autumn@1"
    assert str(await store.add(letter, NOON)) == "autumn@2"
    assert await store.get(TemplateRef("autumn", 2)) == replace(letter, revision=2)


async def test_the_library_does_not_list_what_one_mass_mail_changed_for_itself(database: Database) -> None:
    store = TemplateStore(database)
    first = await store.add(AUTUMN, NOON)
    await store.add(replace(AUTUMN, name=first.version_for("offer")), NOON)
    assert await store.names() == [first]
