"""Whom a mass mail is for, as people choose it on the command line."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.criteria import InFilter, InList, where
from serienmail.domain.mass_mail import AsOf
from serienmail.domain.states import MassMailState
from tests.builders import a_contact, a_load
from tests.starter.command_line import CommandLine, installation
from tests.world import AUTUMN, OWNER

ULM = '{field = "city", op = "eq", value = "Ulm"}'
ORDER = """
name = "Autumn"
account = "marketing"
template = "autumn"
ignore = {list = "board"}
removed = {field = "key", op = "in", value = ["2"]}

[recipients]
any = [{filter = "ulm"}, {list = "fair"}]
"""


@pytest.fixture
async def serienmail(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[CommandLine]:
    """Five contacts, of whom 1, 2 and 3 are in Ulm, and the template ``autumn``."""
    async with installation(temporal, tmp_path) as command_line:
        services = command_line.world.services
        cities = {1: "Ulm", 2: "Ulm", 3: "Ulm", 4: "Bonn", 5: "Bonn"}
        await services.contacts.save([a_contact(number, city=city) for number, city in cities.items()])
        await services.templates.add(AUTUMN, datetime.now(UTC))
        yield command_line


async def test_filters_and_lists_are_combined_reduced_and_their_result_is_shown(serienmail: CommandLine) -> None:
    created = await serienmail("filters", "create", "ulm", "--where", ULM, "--json")
    assert created.document == {"filter": "ulm", "records": 3}, created.err
    listed = await serienmail("lists", "create", "fair", "--where", '{filter = "ulm"}')
    assert listed.out == "There is a list 'fair' now, with 3 records.\n", listed.err
    added = await serienmail("lists", "add", "fair", "4", "5", "99", "--json")
    assert added.document == {"list": "fair", "records": 2, "unknown": ["99"]}
    assert (await serienmail("lists", "remove", "fair", "4")).out == "Removed: 1 records.\n"
    assert (await serienmail("lists", "show", "fair", "--json")).document["keys"] == ["1", "2", "3", "5"]
    assert (await serienmail("lists", "create", "board")).code == 0
    assert (await serienmail("lists", "add", "board", "3")).code == 0

    started = await serienmail("start", serienmail.write("order.toml", ORDER), "--json", answer="n\n")
    assert started.document["selected"] == 4, started.err
    assert started.document["excluded"] == {"removed_by_hand": 1, "ignored": 1}
    assert started.document["will_receive"] == 2


async def test_a_list_is_saved_to_a_file_and_loaded_again(serienmail: CommandLine) -> None:
    await serienmail("lists", "create", "fair", "--where", ULM)
    file, leads = str(serienmail.folder / "fair.json"), str(serienmail.folder / "leads.json")
    assert (await serienmail("lists", "save", "fair", file)).code == 0
    loaded = await serienmail("lists", "load", "again", file, "--json")
    assert loaded.document == {"list": "again", "records": 3, "unknown": []}, loaded.err
    await serienmail.world.services.contacts.save([a_contact(1)], module="lead")
    assert (await serienmail("lists", "create", "calls", "--module", "lead")).code == 0
    assert (await serienmail("lists", "save", "calls", leads)).code == 0
    refused = await serienmail("lists", "load", "both", file, leads)
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "fair.json has contact with built-in fields only; " in refused.err
    assert "leads.json has lead with" in refused.err
    other = await serienmail("lists", "load", "fair", leads)
    assert "The list has contact with built-in fields only, the file lead with" in other.err


async def test_each_refusal_is_one_sentence(serienmail: CommandLine) -> None:
    await serienmail("filters", "create", "ulm", "--where", ULM)
    await serienmail("filters", "create", "south", "--where", '{filter = "ulm"}')
    cases = {
        "in a circle, 'ulm' → 'south' → 'ulm'": ("filters", "create", "ulm", "--where", '{filter = "south"}'),
        "no field 'citty'; did you mean 'city'": ("filters", "create", "x", "--where", ULM.replace("city", "citty")),
        "'opt_in' is a boolean": ("filters", "create", "x", "--where", ULM.replace("city", "opt_in")),
        "no filter 'suoth'; did you mean 'south'": ("lists", "create", "x", "--where", '{filter = "suoth"}'),
        "can't be read; write it as in an order": ("lists", "create", "x", "--where", "city = Ulm"),
        "There is no work list 'x'": ("lists", "add", "x", "1"),
        "There is no filter 'x'": ("filters", "delete", "x"),
        "can't be opened": ("lists", "load", "x", "missing.json"),
        "is no JSON": ("lists", "load", "x", serienmail.write("x.json", "{")),
        "can't be a module's name": ("lists", "create", "x", "--module", "Custom Module"),
    }
    for gist, arguments in cases.items():
        refused = await serienmail(*arguments)
        assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1), refused.err
        assert gist in refused.err
    assert "There are no work lists yet" in (await serienmail("lists", "list")).out


async def test_limits_are_policy_and_are_counted_before_the_start(serienmail: CommandLine) -> None:
    start = ("start", serienmail.write("order.toml", ORDER.split("ignore")[0]), "--everyone", "--json")
    due = "2031-03-02T09:00+00:00"
    counted = await serienmail(*start, answer="n\n", SERIENMAIL_LIMITS__RECIPIENTS="3")
    assert (counted.document["excluded"], counted.document["will_receive"]) == ({"over_limit": 2}, 3), counted.err
    one = {"SERIENMAIL_LIMITS__MASS_MAILS": "1"}
    assert (await serienmail(*start, "--id", "first", "--due", due, "--yes", **one)).code == 0
    refused = await serienmail(*start, "--id", "second", "--due", due, "--yes", **one)
    assert "1 mass mails are due between 2031-03-02 09:00 and 10:00 UTC already" in refused.err
    wrong = await serienmail("list", SERIENMAIL_LIMITS__RECIPIENTS="0")
    assert (wrong.code, "SERIENMAIL_LIMITS" in wrong.err) == (1, True)


async def test_near_duplicates_are_suggested_and_nothing_is_done_about_them(serienmail: CommandLine) -> None:
    twins = [a_contact(n, last_name=name, postcode="89073") for n, name in ((8, "Ida Weiß"), (9, "Weiss, Ida"))]
    await serienmail.world.services.contacts.save(twins)
    found = await serienmail("near-duplicates", "--json")
    assert found.document == [{"key": "8", "other": "9", "alike": 100}], found.err
    assert (await serienmail.world.services.recipients.preview(a_load())).counts.will_receive == 7


async def test_whom_filters_pick_is_decided_when_the_mass_mail_is_due_or_at_its_start(serienmail: CommandLine) -> None:
    world, recipients = serienmail.world, serienmail.world.mails.recipients
    await recipients.save_filter("ulm", where("city").eq("Ulm"), by=OWNER)
    await recipients.create_list("fair", by=OWNER)
    await recipients.add("fair", ["5"], by=OWNER)
    chosen = await recipients.select(InFilter("ulm") | InList("fair"))
    for mass_mail_id, as_of in (("when-due", AsOf.DUE), ("at-start", AsOf.START)):
        await world.start(mass_mail_id, selection=chosen, as_of=as_of)
        await world.until(mass_mail_id, MassMailState.SCHEDULED)
    await world.services.contacts.save([a_contact(1, city="Bonn"), a_contact(4, city="Ulm")])
    await recipients.remove("fair", ["5"], by=OWNER)
    for mass_mail_id, numbers in (("when-due", [2, 3, 4]), ("at-start", [1, 2, 3, 5])):
        before = len(world.received())
        await world.mails.stop(mass_mail_id, by="a.schmidt")
        await world.mails.restart(mass_mail_id, by="a.schmidt", now=True)
        await world.until(mass_mail_id, MassMailState.FINISHED_AUTOMATICALLY)
        report = await world.mails.status(mass_mail_id)
        assert report.stages[0].by_state == {"sent": len(numbers)}
        assert len(world.received()) - before == len(numbers)


async def test_records_of_a_module_come_from_a_file_onto_a_list_and_get_a_mail(serienmail: CommandLine) -> None:
    leads = serienmail.write("leads.csv", "Nr;E-Mail;Newsletter;Budget\n1;lead1@example.org;ja;500\n2;x;ja;5\n")
    imported = await serienmail("import", leads, "--module", "lead", "--list", "calls", "--json")
    assert imported.document["added"] == 2, imported.err
    assert (await serienmail("lists", "list", "--json")).document == [
        {"name": "calls", "module": "lead", "records": 2, "gone": 0}
    ]
    rich = '{all = [{list = "calls"}, {field = "budget", op = "ge", value = 100}]}'
    order = f'name = "Leads"\naccount = "marketing"\ntemplate = "autumn"\nmodule = "lead"\nrecipients = {rich}\n'
    started = await serienmail("start", serienmail.write("leads.toml", order), "--id", "leads", "--yes", "--json")
    assert (started.document["selected"], started.document["will_receive"]) == (1, 1), started.err
    await serienmail.world.until("leads", MassMailState.FINISHED_AUTOMATICALLY)
    assert serienmail.world.received() == ["lead1@example.org"]
    wrong = serienmail.write("wrong.toml", order.replace('module = "lead"\n', ""))
    refused = await serienmail("start", wrong, "--yes")
    assert "the work list 'calls' is of the module 'lead', the selection of 'contact'" in refused.err


async def test_a_company_s_own_tables_are_a_source(serienmail: CommandLine) -> None:
    crm = serienmail.folder / "crm.db"
    with closing(sqlite3.connect(crm)) as connection:
        connection.execute("CREATE TABLE deal (no, mail, stage)")
        connection.execute("INSERT INTO deal VALUES (7, 'deal7@example.org', 'open'), (8, 'deal8@example.org', 'lost')")
        connection.commit()
    source = {
        "SERIENMAIL_SOURCES__CRM__URL": f"sqlite+aiosqlite:///{crm}",
        "SERIENMAIL_SOURCES__CRM__QUERY": "SELECT no AS key, mail AS email, stage FROM deal WHERE stage = :stage",
        "SERIENMAIL_SOURCES__CRM__PARAMETERS": '{"stage": "open"}',
        "SERIENMAIL_SOURCES__CRM__MODULE": "deal",
    }
    imported = await serienmail("import", "--source", "crm", "--json", **source)
    assert imported.document["added"] == 1, imported.err
    deal = await serienmail.world.services.contacts.find("7", "deal")
    assert deal is not None
    assert (deal["email"], deal["stage"]) == ("deal7@example.org", "open")
    unknown = await serienmail("import", "--source", "cmr", **source)
    assert "There is no source 'cmr' in the settings; there is: crm" in unknown.err
    assert (await serienmail("import")).code == 2
