"""What one order changes in its templates, on the real command line: the library stays as it is."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.states import MassMailState
from tests.starter.command_line import CommandLine, installation

TEMPLATE = """
name = "autumn"
subject = "Autumn"
html = "<style>p {color: red}</style><p>{{ salutation }}, <img src='cid:logo'></p>"
text_from_html = true
images = {logo = "logo.png"}
from_address = "press@example.com"
reply_to = "editors@example.com"
"""
ORDER = """
id = "autumn"
name = "Autumn"
account = "marketing"
template = "autumn"
everyone = true
"""
CHANGES = """
subject = "Autumn, earlier"
attachments = ["offer.pdf"]
personal_attachments = ["{{ contact.key }}.pdf"]
from = "owner"
reply_to = "own"
"""
FOLLOW_UP = '\n[[follow_up]]\ntemplate = "autumn"\naudience = "received"\nafter_days = 3\n'
PEOPLE = '{"a.schmidt": {"address": "schmidt@example.com"}, "berg": {"address": "berg@example.com", "name": "Bo Berg"}}'


@pytest.fixture
async def serienmail(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[CommandLine]:
    settings = {"people": PEOPLE, "personal_files": str(tmp_path / "personal")}
    async with installation(temporal, tmp_path, permitted='["example.com"]', mail=settings) as command_line:
        (tmp_path / "logo.png").write_bytes(b"\x89PNG")
        (tmp_path / "offer.pdf").write_bytes(b"%PDF offer")
        (tmp_path / "personal").mkdir()
        added = await command_line("template", "add", command_line.write("autumn.toml", TEMPLATE))
        assert added.out == "Saved as autumn@1.\n", added.err
        yield command_line


async def test_subject_files_and_sender_of_one_mail_leave_the_template_untouched(serienmail: CommandLine) -> None:
    await serienmail.world.contacts(1, owner="berg")
    (serienmail.folder / "personal" / "1.pdf").write_bytes(b"%PDF for one")
    started = await serienmail("start", serienmail.write("order.toml", CHANGES + ORDER + FOLLOW_UP), "--yes", "--json")
    assert started.code == 0, started.err
    order = started.document["order"]
    assert (order["template"], order["follow_ups"][0]["template"]) == ("autumn~autumn@1", "autumn~autumn@2")
    assert (await serienmail("template", "list")).out == "autumn@1\n"
    assert "Subject: Autumn\n" in (await serienmail("template", "show", "autumn")).out

    await serienmail.world.until("autumn", MassMailState.FOLLOWING_UP)
    [mail] = serienmail.world.inbox.messages()
    assert (mail.message["From"], mail.message["Reply-To"]) == ("Bo Berg <berg@example.com>", "schmidt@example.com")
    assert mail.message["Subject"] == "Autumn, earlier"
    files = {part.get_filename(): part.get_content() for part in mail.message.iter_attachments()}
    assert (files["offer.pdf"], files["1.pdf"]) == (b"%PDF offer", b"%PDF for one")

    page = serienmail.folder / "report.html"
    told, document = await asyncio.gather(
        serienmail("report", "autumn", "--html", str(page)), serienmail("report", "autumn", "--json")
    )
    assert (told.code, "The report is in" in told.out) == (0, True), told.err
    assert "<h2>Follow-up 1</h2>" in page.read_text()
    assert [stage["sent"] for stage in document.document["stages"]] == [1, 0]


async def test_what_can_not_be_sent_is_refused_before_anything_is(serienmail: CommandLine) -> None:
    await serienmail.world.contacts(1, owner="nobody")
    (serienmail.folder / "large.pdf").write_bytes(b"x" * 8_000_000)
    (serienmail.folder / "large.png").write_bytes(b"x" * 262_145)
    refusals = {
        'from = "owner"': "the contact's owner has no address",
        'personal_attachments = ["{{ contact.key }}.pdf"]': "the personal attachment isn't there",
        'personal_attachments = ["{{ contact.kee }}.pdf"]': "contact.kee, which no contact has",
        'attachments = ["large.pdf"]': "a whole mail may have 10,485,760",
        'attachments = ["missing.pdf"]': "missing.pdf can't be opened",
        'images = {logo = "large.png"}': "262,144 are allowed",
        'from = "sales"': "choose one of own, owner, company, template",
    }
    orders = [serienmail.write(f"{n}.toml", f"{line}\n{ORDER}") for n, line in enumerate(refusals)]
    answers = await asyncio.gather(*(serienmail("start", order, "--yes") for order in orders))
    for gist, refused in zip(refusals.values(), answers, strict=True):
        assert (refused.code, refused.out) == (1, ""), gist
        assert gist in refused.err
    await serienmail.world.contacts(1, owner="berg")
    strict = {"SERIENMAIL_ACCOUNTS__MARKETING__PERMITTED": "[]"}
    refused = await serienmail("start", serienmail.write("order.toml", f'from = "owner"\n{ORDER}'), "--yes", **strict)
    assert "doesn't permit an address in From" in refused.err
    assert await serienmail.world.mails.list() == []


async def test_drafts_copies_and_pages_from_outside_become_templates(serienmail: CommandLine) -> None:
    await serienmail.world.contacts(1)
    draft = serienmail.write("spring.toml", TEMPLATE.replace("autumn", "spring"))
    assert (await serienmail("template", "add", draft, "--draft")).out == "Saved as the draft spring@0.\n"
    refused = await serienmail("start", serienmail.write("o.toml", ORDER), "--template", "spring@0", "--yes")
    assert "is a draft; make it a revision" in refused.err
    assert (await serienmail("template", "publish", "spring")).out == "Saved as spring@1.\n"
    assert (await serienmail("template", "save-as", "spring", "summer")).out == "Saved as summer@1.\n"
    page = serienmail.write("page.html", "<script>x()</script><p>Hello {{ contact.last_name }}</p>")
    imported = await serienmail("template", "import", page, "--name", "page", "--subject", "Page")
    assert imported.out == "Saved as page@1.\n"
    shown = (await serienmail("template", "show", "page")).out
    assert "\nHello {{ contact.last_name }}\n" in shown
    assert "script" not in shown
    assert (await serienmail("template", "list")).out.split() == ["autumn@1", "page@1", "spring@1", "summer@1"]
