"""`serienmail rehearse`: the real selection and templates, and nothing reaches the real mail server."""

import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from serienmail.domain.template import Template
from serienmail.settings import Settings
from serienmail.storage.contacts import ContactRow
from serienmail.storage.database import Database
from serienmail.storage.migration import migrate
from starter.inbox import Inbox
from starter.services import wire

ORDER = """
name = "Autumn"
account = "marketing"
template = "autumn"
everyone = true

[[follow_up]]
template = "autumn"
audience = "received"
after_days = 3

[[follow_up]]
template = "autumn"
audience = "opened"
after_days = 3
from = "event"
"""


async def test_a_rehearsal_lives_through_the_weeks_and_leaves_the_real_mail_server_alone(tmp_path: Path) -> None:
    real_server = Inbox(tmp_path / "real", 0)
    await real_server.start()
    account = {"host": "127.0.0.1", "port": real_server.port, "from_address": "mailing@example.com"}
    variables = {
        "SERIENMAIL_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/serienmail.db",
        "SERIENMAIL_LINK_KEY": "k" * 32,
        "SERIENMAIL_ACCOUNTS": json.dumps({"marketing": account}),
    }
    await _fill(variables)
    (tmp_path / "order.toml").write_text(ORDER)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "starter", "rehearse", "order.toml", "--json"),
        cwd=tmp_path,
        env={**os.environ, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    rehearsed = json.loads(output)
    await real_server.stop()
    assert rehearsed["agree"]
    assert rehearsed["stages"][0]["inbox"] == 5
    assert {person["why"] for person in rehearsed["people"] if person["contact"] == "6"} == {
        "excluded: no opt-in for mass mail"
    }
    assert list(real_server.messages()) == []


async def _fill(variables: dict[str, str]) -> None:
    database = Database(variables["SERIENMAIL_DATABASE_URL"])
    await migrate(database)
    services = wire(Settings(database_url=database.url, link_key="k" * 32), database)  # type: ignore[arg-type]
    people = [
        ContactRow(key=str(n), last_name=f"Person{n}", email=f"person{n}@example.org", opt_in=n < 6, tracking=True)
        for n in range(1, 7)
    ]
    await services.contacts.save(people)
    text = "{{ salutation }},\nautumn is here."
    await services.templates.add(Template("autumn", "Autumn", text=text, html=f"<p>{text}</p>"), datetime.now(UTC))
    await database.close()
