"""`statistics` on a terminal of 80 columns: numbers, shares, bars, and the list behind each number."""

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from serienmail.domain.mass_mail import Audience, FollowUp
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.mass_mails import MassMailStore
from serienmail.storage.tables import delivery
from starter.commands.terminal import bar
from tests.builders import NOON, a_contact, an_order

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
FOLLOW_UP = FollowUp(template="autumn@1", audience=Audience.RECEIVED, after=timedelta(days=3))


async def serienmail(database: Database, folder: Path, *arguments: str) -> str:
    """What a command prints."""
    variables = {"SERIENMAIL_DATABASE_URL": database.url, "SERIENMAIL_LINK_KEY": "k" * 32, "COLUMNS": "80"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "starter", *arguments),
        cwd=folder, env=variables | {"NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def a_mass_mail(database: Database) -> None:
    """Four sent of which three are measured and one opened, one not opted in; and one more in a follow-up."""
    await ContactStore(database).save([a_contact(number) for number in range(1, 6)])
    await MassMailStore(database).create(an_order(follow_ups=(FOLLOW_UP,)), NOON)
    mail = {"mass_mail_id": "autumn", "stage": 0, "state": "sent", "tracked": True, "finished_at": NOON}
    async with database.write() as connection:
        for seq, fields in enumerate(
            ({"opened_at": NOON}, {}, {}, {"tracked": False}, {"state": "excluded", "reason": "no_opt_in"}), start=1
        ):
            await connection.execute(insert(delivery).values({**mail, "seq": seq, "contact_id": seq, **fields}))
        await connection.execute(insert(delivery).values({**mail, "stage": 1, "seq": 1, "contact_id": 1}))


@on_sqlite
async def test_numbers_have_shares_and_bars_within_80_columns(database: Database, tmp_path: Path) -> None:
    await a_mass_mail(database)
    lines = (await serienmail(database, tmp_path, "statistics", "autumn", "--stage", "0")).splitlines()
    assert max(map(len, lines)) <= 80
    opened = next(line for line in lines if line.startswith("opened"))
    assert opened.split() == ["opened", "1", "measured", "33.3%", "██████▋"]
    assert any(line.split() == ["no", "opt-in", "for", "mass", "mail", "1"] for line in lines)


@on_sqlite
async def test_the_document_has_each_stage_and_all_together(database: Database, tmp_path: Path) -> None:
    await a_mass_mail(database)
    found = json.loads(await serienmail(database, tmp_path, "statistics", "autumn", "--json"))
    assert found["stages"]["0"]["numbers"]["sent"] == 4
    assert found["stages"]["0"]["excluded"] == {"no_opt_in": 1}
    assert found["total"]["numbers"]["sent"] == 5
    assert found["total"]["rates"]["opened"] == 0.25


@on_sqlite
async def test_a_number_opens_its_list_page_by_page(database: Database, tmp_path: Path) -> None:
    await a_mass_mail(database)
    listed = ("statistics", "autumn", "--list", "not_opened", "--limit", "2", "--json")
    first = json.loads(await serienmail(database, tmp_path, *listed))
    assert [(who["stage"], who["contact"]) for who in first["recipients"]] == [(0, "2"), (0, "3")]
    last = json.loads(await serienmail(database, tmp_path, *listed, "--after", first["next"]))
    assert [(who["stage"], who["contact"]) for who in last["recipients"]] == [(1, "1")]
    assert last["next"] is None


@on_sqlite
async def test_the_numbers_are_taken_apart_by_the_hour(database: Database, tmp_path: Path) -> None:
    await a_mass_mail(database)
    lines = (await serienmail(database, tmp_path, "statistics", "autumn", "--by", "hours")).splitlines()
    assert lines[0].split() == ["sent", "bounced", "opened", "clicked", "unsubscribed"]
    assert lines[1].split()[2:] == ["5", "0", "1", "0", "0"]


@pytest.mark.parametrize(("share", "drawn"), [(0, ""), (0.001, "▏"), (0.5, "█" * 10), (1, "█" * 20)])
def test_a_bar_is_as_long_as_its_share(share: float, drawn: str) -> None:
    assert bar(share) == drawn
