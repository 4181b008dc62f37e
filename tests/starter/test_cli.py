"""The command line, as processes of its own against Temporal, database, workers and inbox, all real."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from sqlalchemy import text, update
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.states import MassMailState
from serienmail.storage.database import Database
from serienmail.storage.migration import migrate
from serienmail.storage.tables import delivery
from tests.starter.command_line import CommandLine, Ran, installation
from tests.world import AUTUMN, everybody

CONTACTS = """Kontakt-Nr;Anrede;Vorname;Nachname;E-Mail;Ort;Serienmail zusenden;Seit;Umsatz
1;Frau;Ada;Person1;person1@example.org;Ulm;ja;01.02.2020;1,5
2;Herr;Ben;Person2;person2@example.org;Ulm;ja;01.02.2020;2,5
3;;;Person3;person3@example.org;Köln;nein;01.02.2020;1,5
4;;;Person4;;Köln;ja;bald;1,5
"""
MAPPING = '[fields]\nkey = "Kontakt-Nr"\n[attributes]\nseit = {column = "Seit", type = "date"}\n'
TEMPLATE = """
name = "autumn"
subject = "Autumn in {{ contact.city }}"
text = "{{ salutation }},\\nautumn is here."
html = "<p>{{ salutation }}</p>"
"""
ORDER = """
id = "autumn"
name = "Autumn [red]offer[/red] for everybody who has been with us for a long time and lives in Ulm"
account = "marketing"
template = "autumn"
recipients = {field = "city", op = "in", value = ["Ulm", "Köln"]}
"""
FOLLOW_UP = """
[[follow_up]]
template = "autumn"
audience = "opened"
"""


@pytest.fixture
async def serienmail(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[CommandLine]:
    async with installation(temporal, tmp_path) as command_line:
        yield command_line


def in_hours(hours: int) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")


async def import_all(serienmail: CommandLine) -> Ran:
    """Contacts and a template; what the import said."""
    contacts, mapping = serienmail.write("contacts.csv", CONTACTS), serienmail.write("mapping.toml", MAPPING)
    imported = await serienmail("import", contacts, "--mapping", mapping)
    added = await serienmail("template", "add", serienmail.write("template.toml", TEMPLATE))
    assert (imported.code, added.code, added.out) == (0, 0, "Saved as autumn@1.\n"), imported.err + added.err
    return imported


async def test_a_mass_mail_from_the_import_to_its_delivery(serienmail: CommandLine) -> None:
    imported = await import_all(serienmail)
    assert "4 rows: 3 contacts added" in imported.out
    assert "5  " in imported.out  # the line of the bad row
    order = serienmail.write("order.toml", ORDER)

    asked = await serienmail("start", order, "--due", in_hours(2), answer="n\n")
    assert (asked.code, "Nothing was started." in asked.err) == (1, True)
    assert "Sehr geehrte Frau Person1,\nautumn is here." in asked.out
    assert "excluded: no opt-in for mass mail" in asked.out
    started = await serienmail("start", order, "--due", in_hours(2), "--yes", "--json")
    assert started.code == 0, started.err
    assert started.document["will_receive"] == 2
    assert started.document["excluded"] == {"no_opt_in": 1}
    await serienmail.world.until("autumn", MassMailState.SCHEDULED)

    listed, shown = await asyncio.gather(serienmail("list"), serienmail("show", "autumn"))
    assert "[red]offer[/red]" in " ".join(listed.out.split())
    assert max(map(len, [*listed.out.splitlines(), *shown.out.splitlines()])) <= 80
    assert "excluded: no opt-in for mass mail" in shown.out

    again = await serienmail("start", order, "--yes")
    assert (again.code, again.out, "There is a mass mail 'autumn' already" in again.err) == (1, "", True)
    other = await serienmail("stop", "autumn", "--by", "m.mustermann")
    assert (other.code, "Only a.schmidt, who created" in other.err) == (1, True)

    stopped = await serienmail("stop", "autumn")
    assert (stopped.code, "is stopped (stopped by a.schmidt)" in " ".join(stopped.out.split())) == (0, True)
    smaller = serienmail.write("ulm.toml", ORDER.replace(', "Köln"', "") + FOLLOW_UP + "after_days = 3\n")
    edited = await serienmail("edit", "autumn", "--order", smaller, "--name", "Autumn", "--json")
    assert (edited.code, edited.document["answered"]) == (0, True), edited.err
    assert edited.document["status"]["order"]["name"] == "Autumn"
    assert (await serienmail("restart", "autumn", "--now")).code == 0
    await serienmail.world.until("autumn", MassMailState.FOLLOWING_UP)
    assert serienmail.world.received() == everybody(2)
    report = (await serienmail("show", "autumn", "--json")).document
    assert report["status"]["state"] == "following_up"
    assert [report["stages"][stage]["by_state"] for stage in ("0", "1")] == [{"sent": 2}, {}]


async def test_a_mail_in_doubt_is_listed_and_resolved(serienmail: CommandLine) -> None:
    await import_all(serienmail)
    follow_up = FOLLOW_UP + "after_days = 3\n"
    started = await serienmail("start", serienmail.write("order.toml", ORDER + follow_up), "--yes")
    assert started.code == 0, started.err
    await serienmail.world.until("autumn", MassMailState.FOLLOWING_UP)
    none = await serienmail("resolve", "autumn", "--as", "sent")
    assert (none.code, "Nobody in stage 0 is in doubt" in none.err) == (1, True)
    async with serienmail.world.services.database.write() as connection:
        await connection.execute(update(delivery).where(delivery.c.seq == 1).values(state="unknown", doubted=True))
    (listed,) = (await serienmail("recipients", "autumn", "--state", "unknown", "--json")).document
    assert (listed["contact"], listed["attempts"], listed["message_id"][:1]) == ("1", 1, "<")
    resolved = await serienmail("resolve", "autumn", "--as", "sent", "--contact", "1", "--json")
    assert (resolved.code, resolved.document["answered"]) == (0, True), resolved.err
    await serienmail.world.until_states("autumn", {"sent": 2, "excluded": 1}, {})


async def test_previews_and_test_mails_change_nothing(serienmail: CommandLine) -> None:
    await import_all(serienmail)
    order = serienmail.write("order.toml", ORDER)
    html, source = serienmail.folder / "mail.html", serienmail.folder / "mail.eml"
    preview, test = await asyncio.gather(
        serienmail("preview", order, "--contact", "2", "--html", str(html), "--source", str(source)),
        serienmail("test-mail", "autumn", "--to", "me@example.org", "--to", "you@example.org",
                   "--contact", "1"),
    )  # fmt: skip
    assert (preview.code, "Subject: Autumn in Ulm" in preview.out) == (0, True), preview.err
    assert "Sehr geehrter Herr Person2" in html.read_text()
    assert message_from_bytes(source.read_bytes(), policy=policy.default)["Subject"] == "Autumn in Ulm"
    assert test.code == 0, test.out + test.err
    assert serienmail.world.received() == ["me@example.org", "you@example.org"]
    mails = [mail.message for mail in serienmail.world.inbox.messages()]
    assert [mail["Subject"] for mail in mails] == ["[Test] Autumn in Ulm"] * 2
    assert len({mail["Message-ID"] for mail in mails}) == 2  # the same one twice would be shown once
    assert await serienmail.world.mails.list() == []


async def test_lists_never_fail_and_a_command_without_a_worker_is_left_as_a_signal(serienmail: CommandLine) -> None:
    await serienmail.world.contacts(1)
    await serienmail.world.start("waiting")
    await serienmail.world.until("waiting", MassMailState.SCHEDULED)
    await serienmail.world.rest()

    async def lists(times: int) -> Sequence[Ran]:
        return [await serienmail("list", TEMPORAL_ADDRESS="127.0.0.1:1") for _ in range(times)]

    stopped, *listed = await asyncio.gather(serienmail("stop", "waiting"), lists(5), lists(5))
    assert [(ran.code, "waiting" in ran.out) for lane in listed for ran in lane] == [(0, True)] * 10
    assert (stopped.code, "no worker has answered yet" in stopped.out) == (0, True), stopped.err
    await serienmail.world.work()
    await serienmail.world.until("waiting", MassMailState.STOPPED)


async def test_each_refusal_is_one_sentence(serienmail: CommandLine) -> None:
    await serienmail.world.contacts(1)
    await serienmail.world.services.templates.add(AUTUMN, datetime.now(UTC))
    order = ("start", serienmail.write("order.toml", ORDER), "--everyone", "--yes")
    date = f"on = {in_hours(50)}\n"
    crowd = serienmail.write("four.toml", ORDER + f"{FOLLOW_UP}after_days = 3\n" * 4)
    dated = serienmail.write("dated.toml", ORDER + FOLLOW_UP + date)
    column = serienmail.write("column.toml", ORDER.replace('"city"', '"citty"'))
    mapping = serienmail.write("mapping.toml", '[fields]\nkey = "Nummer"\n')
    empty = f"sqlite+aiosqlite:///{serienmail.folder}/empty.db"
    expected = {
        "Temporal can't be reached at 127.0.0.1:1": serienmail(*order, TEMPORAL_ADDRESS="127.0.0.1:1"),
        "run 'serienmail migrate' first": serienmail("list", SERIENMAIL_DATABASE_URL=empty),
        "There is no template 'spring'": serienmail(*order, "--template", "spring"),
        "There is no sending account 'sales'": serienmail(*order, "--account", "sales"),
        "did you mean 'city'": serienmail("start", column, "--yes"),
        "There is no contact '99'": serienmail("preview", "autumn", "--contact", "99"),
        "has no column 'Nummer'": serienmail(
            "import", serienmail.write("contacts.csv", CONTACTS), "--mapping", mapping
        ),
        "has no time zone; add one": serienmail(*order, "--due", "2031-01-01T09:00"),
        "is no date and time": serienmail(*order, "--due", "tomorrow"),
        "is in the past": serienmail(*order, "--due", "2020-01-01T09:00+01:00"),
        "3 follow-ups at most": serienmail("start", crowd, "--everyone", "--yes"),
        "give days instead of a date": serienmail("start", dated, "--everyone", "--yes"),
        "The order doesn't say who gets it": serienmail("start", "--name", "X", "--template", "autumn",
                                                       "--account", "marketing", "--yes"),
        "There is no mass mail 'nothing'": serienmail("show", "nothing"),
    }  # fmt: skip
    for gist, refused in zip(expected, await asyncio.gather(*expected.values()), strict=True):
        assert (refused.code, refused.out) == (1, ""), gist
        assert gist in refused.err
        assert refused.err.count("\n") == 1


async def test_all_that_is_wrong_with_an_order_is_said_at_once(serienmail: CommandLine) -> None:
    await serienmail.world.contacts(2)
    await serienmail.world.services.templates.add(AUTUMN, datetime.now(UTC))
    wrong = f"copies = true\ndue = 2020-01-01T09:00:00Z\n{ORDER}"
    refused = await serienmail("start", serienmail.write("order.toml", wrong), "--everyone", "--yes")
    assert refused.code == 1
    assert [line.partition(";")[0] for line in refused.err.splitlines()] == [
        "2020-01-01 09:00 UTC is in the past",
        "Your copy has no address to go to",
    ]
    assert await serienmail.world.mails.list() == []


async def test_unknown_templates_and_fields_hide_nothing_else_that_is_wrong(serienmail: CommandLine) -> None:
    await serienmail.world.contacts(2)
    await serienmail.world.services.templates.add(AUTUMN, datetime.now(UTC))
    order = f"copies = true\ndue = 2020-01-01T09:00:00Z\nsubject = '{{{{ oops'\n{ORDER}".replace('"city"', '"citty"')
    follow_up = FOLLOW_UP.replace("autumn", "winter") + "after_days = 3\nignore = {list = 'board'}\n"
    crm = "[crm]\nactivities = 'one'\nlinked = {field = 'nmae', op = 'eq', value = 1}\n"
    written = serienmail.write("order.toml", order + follow_up + crm)
    refused = await serienmail("start", written, "--account", "sales", "--yes")
    assert (refused.code, refused.out) == (1, "")
    assert [line.partition(";")[0].partition(",")[0] for line in refused.err.splitlines()] == [
        "'recipients': there is no field 'citty'",
        "'follow-up 1: ignore': there is no work list 'board'",
        "'crm: linked': there is no field 'nmae'",
        "line 1 of the template's subject can't be read (unexpected end of template",
        "There is no template 'winter'",
        "2020-01-01 09:00 UTC is in the past",
        "There is no sending account 'sales'",
        "Your copy has no address to go to",
    ]
    nothing = await serienmail("start", "--yes")
    assert [line.partition(";")[0] for line in nothing.err.splitlines()] == [
        "The order has no name",
        "The order has no account",
        "The order has no template",
        "The order doesn't say who gets it",
    ]


async def test_the_start_names_triggers_and_what_the_crm_keeps_before_it_asks(serienmail: CommandLine) -> None:
    await serienmail.world.contacts(1)
    await serienmail.world.services.templates.add(AUTUMN, datetime.now(UTC))
    order = (
        f"{ORDER}[[trigger]]\non = 'opened'\nupdate = {{city = 'Ulm'}}\n"
        f"{FOLLOW_UP}after_days = 3\n[[follow_up.trigger]]\non = 'clicked'\ntask = [{{subject = 'Write'}}]\n"
        "call = [{subject = 'Ask'}]\n[crm]\nactivities = 'each'\nemployees = ['anna']\nreminder_days = 30\n"
    )
    asked = await serienmail("start", serienmail.write("order.toml", order), "--everyone", answer="n\n")
    told = " ".join(asked.out.split())
    assert "– when opened: city becomes Ulm Follow-up 1 (opened, 3 days after the end): autumn@1" in told
    assert "– when clicked: a task 'Write', a call 'Ask' The CRM keeps an activity for each recipient" in told
    assert "a reminder 30 days after the end (Autumn for …) for anna." in told
    assert asked.err.endswith("Nothing was started.\n")


async def test_a_start_that_waits_tells_when_recipients_are_read(serienmail: CommandLine) -> None:
    await import_all(serienmail)
    order, due = serienmail.write("order.toml", ORDER), in_hours(2)
    waited = await serienmail("start", order, "--due", due, "--wait", "--yes", "--json")
    assert waited.code == 0, waited.err
    assert waited.document["started"] is True
    assert waited.err.endswith("Read: 2 will get it, 1 excluded: no opt-in for mass mail.\n")
    unnoticed = await serienmail("start", order, "--due", due, "--id", "told", "--notify", "--yes")
    assert "Your notice has no address to go to" in unnoticed.err


async def test_who_opted_out_is_told_before_the_start_and_never_mailed(serienmail: CommandLine) -> None:
    await serienmail.world.contacts(2)
    await serienmail.world.services.templates.add(AUTUMN, datetime.now(UTC))
    order = await serienmail.world.order("first", due=None)
    await serienmail.world.mails.start(order)
    await serienmail.world.until("first", MassMailState.FINISHED_AUTOMATICALLY)
    number = (await serienmail.world.services.mass_mails.get("first")).number
    assert await serienmail.world.tracking.unsubscribed(number, 0, 1, datetime.now(UTC))
    file = serienmail.write("order.toml", ORDER)
    asked = await serienmail("start", file, "--everyone", "--id", "asked")
    sent = await serienmail("start", file, "--everyone", "--id", "second", "--yes")
    assert "1 of those selected have opted out" in " ".join(asked.out.split())
    assert "without those who opted out? [y/N]" in asked.err
    assert sent.code == 0, sent.err
    await serienmail.world.until("second", MassMailState.INCOMPLETE, MassMailState.FINISHED_AUTOMATICALLY)
    assert serienmail.world.received() == sorted([*everybody(2), "person2@example.org"])


async def test_an_interrupted_question_starts_nothing(serienmail: CommandLine) -> None:
    await serienmail.world.contacts(1)
    await serienmail.world.services.templates.add(AUTUMN, datetime.now(UTC))
    process = await serienmail.open("start", serienmail.write("order.toml", ORDER), "--everyone")
    assert process.stderr is not None
    await process.stderr.readuntil(b"[y/N] ")
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 130
    assert await serienmail.world.mails.list() == []


async def test_usage_errors_and_help_end_as_people_expect(serienmail: CommandLine, tmp_path: Path) -> None:
    helped, unknown, both = await asyncio.gather(
        serienmail("--help"), serienmail("strat"), serienmail("restart", "x", "--now", "--due", in_hours(1))
    )
    assert (helped.code, unknown.code, both.code) == (0, 2, 2)
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/broken.db")
    await migrate(database)
    async with database.write() as connection:
        await connection.execute(text("DROP TABLE mass_mail"))
    await database.close()
    broken = await serienmail("list", SERIENMAIL_DATABASE_URL=database.url)
    assert (broken.code, "SERIENMAIL_DEBUG=1" in broken.err) == (70, True)
