"""Each employee gets one copy, and what may have gone is never sent again."""

from serienmail.domain.delivery import StageKey
from serienmail.domain.states import DeliveryState
from serienmail.storage.copies import CopyStore
from serienmail.storage.database import Database
from tests.builders import a_contact, an_open_stage, rows


async def copies_of(database: Database) -> dict[str, DeliveryState]:
    return {story.user: story.state for story in await CopyStore(database).stories("autumn")}


async def test_the_author_and_each_owner_of_recipients_get_one(database: Database) -> None:
    owners = ["anna", "ben", "ben", "", "carla"]
    people = [a_contact(n, owner=owner, opt_in=owner != "carla") for n, owner in enumerate(owners, start=1)]
    await an_open_stage(database, people)
    store = CopyStore(database)
    for _ in range(2):
        await store.open("autumn", "anna")
    assert list(await copies_of(database)) == ["anna", "ben"]
    claimed = [await store.claim("autumn") for _ in range(3)]
    assert [(copy.user, copy.contact["key"]) for copy in claimed if copy] == [("anna", "1"), ("ben", "2")]
    assert len(await rows(database, StageKey("autumn", 0))) == len(owners)  # copies are no deliveries


async def test_a_copy_whose_sender_was_killed_is_in_doubt_and_not_sent_again(database: Database) -> None:
    await an_open_stage(database, 1)
    store = CopyStore(database)
    await store.open("autumn", "anna")
    lost = await store.claim("autumn")
    assert lost is not None
    await store.open("autumn", "anna")
    assert await store.claim("autumn") is None
    assert await copies_of(database) == {"anna": DeliveryState.UNKNOWN}
    await store.record(lost, DeliveryState.SENT, "250 ok")  # it was only slow
    assert await copies_of(database) == {"anna": DeliveryState.SENT}


async def test_a_copy_that_was_given_back_is_claimed_again(database: Database) -> None:
    await an_open_stage(database, 1)
    store = CopyStore(database)
    await store.open("autumn", "anna")
    first = await store.claim("autumn")
    assert first is not None
    await store.record(first, DeliveryState.PENDING, "")
    again = await store.claim("autumn")
    assert again is not None
    assert again.token != first.token


async def test_a_mass_mail_without_recipients_has_no_copies(database: Database) -> None:
    await an_open_stage(database, [])
    await CopyStore(database).open("autumn", "anna")
    assert await copies_of(database) == {}
