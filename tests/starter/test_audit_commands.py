"""Whatever the command line changes is on record: who, what, about what, before and after; and nobody's address."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner, Result

from serienmail.domain.errors import CommandRefused
from serienmail.settings import Settings
from serienmail.storage.audit import AuditStore
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from starter.cli import app
from starter.inbox import Inbox
from starter.on_record import on_record
from starter.services import open_services
from tests.builders import a_contact

LOOKS = {
    "list", "show", "recipients", "activities", "audit", "report", "statistics", "preview", "near-duplicates",
    "template list", "template show", "action list", "schedule list", "suppressions list", "filters list",
    "filters show", "lists list", "lists show", "lists save", "limits show",
}  # fmt: skip
ON_AN_ENVIRONMENT_OF_ITS_OWN = {"rehearse", "dev", "demo"}
RECORDED_WITH_WORKFLOWS = {
    "start", "edit", "stop", "restart", "send-again", "resolve", "finish", "delete", "repair",
    "schedule create", "schedule pause", "schedule resume", "schedule remove",
}  # test_audit.py, by the client's methods
RECORDED_IN_ITS_TRANSACTION = {"consent request", "action run", "migrate"}
ADDRESS = "person1@example.org"
IN_ULM = '{field = "city", op = "eq", value = "Ulm"}'
TO_ADDRESS = f'{{field = "email", op = "eq", value = "{ADDRESS}"}}'
TEMPLATE = 'name = "autumn"\nsubject = "Autumn"\ntext = "Dear {{ contact.last_name }}"\n'
ACTION = 'name = "Call"\n[task]\ntype = "call"\nsubject = "Call them"\n'
FILES = {
    "autumn.toml": TEMPLATE,
    "page.html": "<p>Autumn</p>",
    "people.csv": "Nr;E-Mail\n1;person1@example.org\n;person2@example.org\n",
    "bad.csv": f"address\n{ADDRESS}\nnobody\n",
    "call.toml": ACTION,
}


@dataclass(frozen=True, slots=True)
class Case:
    """A command, what is given before it, and what is on record then."""

    arguments: Sequence[str]
    act: str
    about: str
    before: dict[str, object]
    after: dict[str, object]
    given: Sequence[Sequence[str]] = ()


ADD, DRAFT = ("template", "add", "autumn.toml"), ("template", "add", "autumn.toml", "--draft")
FILTER = ("filters", "create", "ulm", "--where", TO_ADDRESS)
LIST = ("lists", "create", "fair", "--where", IN_ULM)
SUPPRESS = ("suppressions", "add", ADDRESS)
CASES = {
    "template add": Case(ADD, "save", "template autumn", {"revision": 0}, {"revision": 1}),
    "template add --draft": Case(DRAFT, "save_draft", "template autumn", {}, {"revision": 0}),
    "template publish": Case(
        ("template", "publish", "autumn"), "publish", "template autumn", {"revision": 0}, {"revision": 1}, [DRAFT]
    ),
    "template save-as": Case(
        ("template", "save-as", "autumn", "fall"), "save", "template fall", {"revision": 0}, {"revision": 1}, [ADD]
    ),
    "template import": Case(
        ("template", "import", "page.html", "--name", "page", "--subject", "Autumn"),
        "save", "template page", {"revision": 0}, {"revision": 1},
    ),
    "test-mail": Case(
        ("test-mail", "autumn", "--to", "anna@example.org", "--contact", "1"),
        "test_mail", "template autumn@1", {}, {"mails": 1}, [ADD],
    ),
    "filters create": Case(FILTER, "save_filter", "filter ulm", {}, {"records": 1}),
    "filters create, in place of one": Case(
        ("filters", "create", "ulm", "--where", IN_ULM),
        "save_filter", "filter ulm", {"records": 1}, {"records": 2}, [FILTER],
    ),
    "filters delete": Case(
        ("filters", "delete", "ulm"), "delete", "filter ulm", {"records": 1}, {"records": 0}, [FILTER]
    ),
    "lists create": Case(LIST, "create", "list fair", {"records": 0}, {"records": 2}),
    "lists add": Case(
        ("lists", "add", "fair", "3"), "add", "list fair", {"records": 2}, {"records": 3}, [LIST]
    ),
    "lists remove": Case(
        ("lists", "remove", "fair", "1"), "remove", "list fair", {"records": 2}, {"records": 1}, [LIST]
    ),
    "lists load": Case(
        ("lists", "load", "again", "fair.json"), "load", "list again", {"records": 0}, {"records": 2},
        [LIST, ("lists", "save", "fair", "fair.json")],
    ),
    "lists delete": Case(
        ("lists", "delete", "fair"), "delete", "list fair", {"records": 2}, {"records": 0}, [LIST]
    ),
    "import": Case(
        ("import", "people.csv"), "import", "records of contact", {},
        {"rows": 2, "added": 0, "changed": 0, "bad": 1},
    ),
    "suppressions add": Case(SUPPRESS, "suppress", "suppressions", {}, {"added": 1}),
    "suppressions remove": Case(
        ("suppressions", "remove", ADDRESS), "release", "suppressions", {}, {"removed": 1}, [SUPPRESS]
    ),
    "suppressions import": Case(
        ("suppressions", "import", "bad.csv"), "import", "suppressions", {}, {"added": 1, "bad lines": 1}
    ),
    "suppressions export": Case(
        ("suppressions", "export", "all.csv"), "export", "suppressions", {}, {"entries": 1}, [SUPPRESS]
    ),
    "person export": Case(
        ("person", "export", ADDRESS), "export", "person", {}, {"contacts": 1, "mails": 0}
    ),
    "person erase": Case(
        ("person", "erase", ADDRESS, "--yes"), "erase", "person", {}, {"contacts": 1, "mails": 0}
    ),
    "action save": Case(
        ("action", "save", "call", "call.toml"), "save", "action call", {}, {"characters": len(ACTION)}
    ),
    "limits set": Case(
        ("limits", "set", "marketing", "--per-hour", "500"), "change_limits", "limits of marketing",
        {"per_hour": None}, {"per_hour": 500},
    ),
}  # fmt: skip
Serienmail = Callable[..., Awaitable[Result]]


def _commands(group: TyperGroup, *path: str) -> Iterator[str]:
    for name, each in group.commands.items():
        if isinstance(each, TyperGroup):
            yield from _commands(each, *path, name)
        else:
            yield " ".join((*path, name))


def test_every_command_is_one_that_looks_or_one_that_is_on_record() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    recorded = {" ".join(name.partition(",")[0].split()[:2]) for name in CASES}
    elsewhere = RECORDED_WITH_WORKFLOWS | RECORDED_IN_ITS_TRANSACTION | ON_AN_ENVIRONMENT_OF_ITS_OWN
    assert set(_commands(group)) == LOOKS | recorded | elsewhere


@pytest.fixture
async def database(tmp_path: Path, migrated_sqlite: Path) -> AsyncIterator[Database]:
    """An installation's database, with three contacts of whom two are in Ulm."""
    shutil.copy(migrated_sqlite, tmp_path / "serienmail.db")
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/serienmail.db")
    cities = {1: "Ulm", 2: "Ulm", 3: "Bonn"}
    await ContactStore(database).save([a_contact(number, city=city) for number, city in cities.items()])
    yield database
    await database.close()


@pytest.fixture
async def serienmail(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Serienmail]:
    """The command line, in this process; ``vera`` may only look."""
    inbox = Inbox(tmp_path / "inbox", 0)
    await inbox.start()
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_text(content, "utf-8")
    variables = {
        "SERIENMAIL_DATABASE_URL": database.url,
        "SERIENMAIL_LINK_KEY": "k" * 32,
        "SERIENMAIL_ACCOUNTS__MARKETING__HOST": "127.0.0.1",
        "SERIENMAIL_ACCOUNTS__MARKETING__PORT": str(inbox.port),
        "SERIENMAIL_ACCOUNTS__MARKETING__FROM_ADDRESS": "mailing@example.com",
        "SERIENMAIL_USERS": '{"carla": "administer", "vera": "view"}',
        "SERIENMAIL_ADMINISTRATORS": '["carla"]',
        "TEMPORAL_ADDRESS": "127.0.0.1:1",  # nobody there: these commands need the database alone
    }

    async def run(*arguments: str, by: str = "carla") -> Result:
        told = {**variables, "SERIENMAIL_USER": by}
        return await asyncio.to_thread(CliRunner().invoke, app, arguments, env=told)

    yield run
    await inbox.stop()


@pytest.mark.parametrize("name", CASES)
async def test_what_a_command_changes_is_on_record(
    database: Database, serienmail: Serienmail, name: str
) -> None:
    case = CASES[name]
    for arguments in (*case.given, case.arguments):
        result = await serienmail(*arguments)
        assert isinstance(result.exception, SystemExit | None), result.output
    record = (await AuditStore(database).of())[-1]
    assert (record.by, record.act, record.about) == ("carla", case.act, case.about)
    assert record.before == case.before
    assert record.after.items() >= case.after.items()
    assert ADDRESS not in str(record)


@pytest.mark.parametrize("name", CASES)
async def test_who_may_only_look_changes_nothing_and_the_attempt_is_on_record(
    database: Database, serienmail: Serienmail, name: str
) -> None:
    case = CASES[name]
    for arguments in case.given:
        await serienmail(*arguments)
    before = len(await AuditStore(database).of())
    result = await serienmail(*case.arguments, by="vera")
    assert isinstance(result.exception, CommandRefused), result.output
    records = (await AuditStore(database).of())[before:]
    assert [(record.by, record.act, record.about, bool(record.refused)) for record in records] == [
        ("vera", case.act, case.about, True)
    ]


async def test_a_migration_is_on_record_and_one_that_changes_nothing_is_not(
    tmp_path: Path, serienmail: Serienmail
) -> None:
    (tmp_path / "serienmail.db").unlink()
    for _twice in range(2):
        assert (await serienmail("migrate")).exit_code == 0
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/serienmail.db")
    (record,) = await AuditStore(database).of("database")
    await database.close()
    assert (record.by, record.act, record.before) == ("carla", "migrate", {"tables": None})
    assert record.after["tables"]


async def test_what_a_command_changed_before_it_failed_is_on_record(database: Database) -> None:
    async with open_services(Settings(link_key=SecretStr("k" * 32), database_url=database.url)) as services:
        with pytest.raises(OSError, match="disk full"):
            async with on_record(services, "import", "carla", "records of contact") as noted:
                noted.after["rows"] = 10_000
                raise OSError("disk full")
        (record,) = await services.audit.of()
    assert record.after == {"rows": 10_000}
