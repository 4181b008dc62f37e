"""The numbers taken apart add up to the numbers."""

from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from serienmail.domain.breakdown import LinkClicks
from serienmail.domain.provider import Providers
from serienmail.domain.statistics import Number
from serienmail.storage.breakdowns import BreakdownStore
from serienmail.storage.database import Database
from serienmail.storage.mass_mails import MassMailStore
from serienmail.storage.statistics import StatisticsStore
from serienmail.storage.tables import delivery, event, measured_link
from tests.builders import NOON, an_order

LATER = NOON + timedelta(hours=2, minutes=5)
MAILS: list[dict[str, Any]] = [
    {"address_key": "ada@gmail.com", "opened_at": LATER, "clicked_at": LATER},
    {"address_key": "ben@gmail.com", "bounced_at": LATER},
    {"address_key": "cem@googlemail.com", "tracked": False},
    {"address_key": "dora@example.org", "opened_at": LATER + timedelta(days=1)},
    {"address_key": "emil@example.org", "state": "rejected"},
    {"address_key": None},  # erased
]
EVENTS = [("clicked", 1), ("clicked", 1), ("machine_clicked", 4), ("machine_clicked", 4), ("opened", 1)]


async def a_mass_mail(database: Database) -> BreakdownStore:
    await MassMailStore(database).create(an_order(), NOON)
    mail = {"mass_mail_id": "autumn", "stage": 0, "contact_id": 0, "state": "sent", "tracked": True}
    done = {"mass_mail_id": "autumn", "stage": 0, "at": LATER}
    async with database.write() as connection:
        for seq, fields in enumerate(MAILS, start=1):
            await connection.execute(insert(delivery).values({**mail, "seq": seq, "finished_at": NOON, **fields}))
        await connection.execute(insert(measured_link).values(id=7, template="autumn@1", url="https://example.com/"))
        for kind, seq in EVENTS:
            link, detail = (7 if "clicked" in kind else None), ("burst" if "machine" in kind else "")
            await connection.execute(insert(event).values(**done, kind=kind, seq=seq, link=link, detail=detail))
    return BreakdownStore(database, Providers())


async def test_the_parts_of_each_kind_add_up_to_the_number(database: Database) -> None:
    found = await (await a_mass_mail(database)).of("autumn")
    numbers = (await StatisticsStore(database, Providers()).of("autumn")).total.numbers
    for parts in (found.domains, found.providers):
        assert sum(part.numbers[Number.SENT] for part in parts) == numbers[Number.SENT] == 5
        assert sum(part.numbers[Number.OPENED] for part in parts) == numbers[Number.OPENED] == 2
    assert sum(hour.numbers[Number.SENT] for hour in found.hours) == 5
    assert sum(hour.numbers[Number.OPENED] for hour in found.hours) == 2


async def test_domains_come_with_the_largest_first_and_erased_people_have_none(database: Database) -> None:
    found = await (await a_mass_mail(database)).of("autumn")
    sent = [(part.name, part.numbers[Number.SENT]) for part in found.domains]
    assert sent == [("gmail.com", 2), ("", 1), ("example.org", 1), ("googlemail.com", 1)]


async def test_providers_have_all_their_domains_and_the_others_are_one_part(database: Database) -> None:
    found = await (await a_mass_mail(database)).of("autumn")
    assert [(part.name, part.numbers[Number.SENT]) for part in found.providers] == [("google", 3), ("", 2)]


async def test_what_happened_stands_in_the_hour_in_which_it_did(database: Database) -> None:
    found = await (await a_mass_mail(database)).of("autumn")
    assert [hour.at for hour in found.hours] == [NOON, NOON + timedelta(hours=2), NOON + timedelta(hours=26)]
    assert found.hours[1].numbers[Number.BOUNCED] == 1


async def test_a_link_is_told_with_clicks_of_people_and_of_machines_apart(database: Database) -> None:
    found = await (await a_mass_mail(database)).of("autumn")
    assert found.links == [LinkClicks("https://example.com/", clicks=2, people=1, machines=2)]
    assert found.machines == {"burst": 1}


async def test_a_stage_has_only_its_own(database: Database) -> None:
    found = await (await a_mass_mail(database)).of("autumn", stage=1)
    assert (found.domains, found.hours, found.links) == ([], [], [])
