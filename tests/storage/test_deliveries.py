"""The ledger as people read it: reasons in words, with what stands behind them."""

from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.deliveries import DeliveryList
from serienmail.storage.loading import RecipientStore
from tests.builders import NOON, a_contact, a_load
from tests.storage.test_loading import suppress


async def test_each_exclusion_says_what_stands_behind_it(database: Database) -> None:
    await ContactStore(database).save([
        a_contact(1), a_contact(2, email="PERSON1@example.org"), a_contact(3), a_contact(4), a_contact(5),
        a_contact(6, email=""),
    ])  # fmt: skip
    await suppress(database, 3, "bounced")
    await suppress(database, 4, "by_hand")
    await suppress(database, 5, "unsubscribed")
    await RecipientStore(database).load(a_load(), NOON)
    stories = await DeliveryList(database).stories("autumn")
    assert {story.contact: story.why for story in stories} == {
        "1": "",
        "2": "duplicate of 1",
        "3": "on the suppression list: bounced",
        "4": "on the suppression list: by hand",
        "5": "unsubscribed",
        "6": "no mail address",
    }
