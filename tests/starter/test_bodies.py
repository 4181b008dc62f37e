"""HTML only, text only, or both: through template files, order files and the real command line (product.md, A3)."""

import asyncio
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.errors import InvalidOrder
from serienmail.domain.template import Template
from starter.bodies import KEYS, Bodies, read_bodies
from starter.toml_file import Table
from tests.starter.command_line import CommandLine, installation

HTML = "<style>b {color: red}</style><p>Dear <b>{{ contact.last_name }}</b>,<br>1 &lt; 2</p>"
TEXT = "Dear {{ contact.last_name }},\n1 < 2"
ORDER = 'id = "autumn"\nname = "Autumn"\naccount = "marketing"\ntemplate = "both"\neveryone = true\n'
FOOTER = "\n\n-- \n"
BOTH = Template("both", "Autumn", text="a", html="<p>a</p>")


@pytest.fixture
async def serienmail(temporal: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[CommandLine]:
    async with installation(temporal, tmp_path) as command_line:
        yield command_line


async def add(serienmail: CommandLine, name: str, bodies: str) -> None:
    file = serienmail.write(f"{name}.toml", f'name = "{name}"\nsubject = "Autumn"\n{bodies}')
    assert (await serienmail("template", "add", file)).out == f"Saved as {name}@1.\n"


async def test_a_mail_has_html_text_or_both_and_one_made_of_the_other_on_request(serienmail: CommandLine) -> None:
    await serienmail.world.contacts(1)
    html, text = f"html = '''{HTML}'''\n", f"text = '''{TEXT}'''\n"
    templates = {
        "html": html,
        "text": text,
        "both": html + text,
        "derived": f"{html}text_from_html = true\n",
        "wrapped": f"{text}html_from_text = true\n",
    }
    await asyncio.gather(*(add(serienmail, name, bodies) for name, bodies in templates.items()))
    shown = await asyncio.gather(*(serienmail("preview", name, "--contact", "1", "--json") for name in templates))
    mails = {name: ran.document for name, ran in zip(templates, shown, strict=True)}
    filled = "Dear Person1,\n1 < 2"
    assert {name: mail["text"].partition(FOOTER)[0] for name, mail in mails.items()} == {
        "html": "", "text": filled, "both": filled, "derived": filled, "wrapped": filled,
    }  # fmt: skip
    assert [name for name, mail in mails.items() if not mail["html"]] == ["text"]
    assert '<b style="color: red;">Person1</b>' in mails["derived"]["html"]
    assert "<p>Dear Person1,<br>\n1 &lt; 2</p>" in mails["wrapped"]["html"]
    multipart = [name for name, mail in mails.items() if "multipart/alternative" in mail["source"]]
    assert multipart == ["both", "derived", "wrapped"]
    saved = (await serienmail("template", "show", "derived")).out
    assert "\nDear {{ contact.last_name }},\n1 < 2\n" in saved


async def test_an_order_s_own_bodies_are_made_of_each_other_as_well(serienmail: CommandLine) -> None:
    await serienmail.world.contacts(1)
    await add(serienmail, "both", f"html = '''{HTML}'''\ntext = '''{TEXT}'''\n")
    new = "<style>p {color: red}</style><p>Hello {{ contact.last_name }}</p>"
    half = serienmail.write("half.toml", f"html = '{new}'\n{ORDER}")
    whole = serienmail.write("whole.toml", f"html = '{new}'\ntext_from_html = true\n{ORDER}")
    refused, started = await asyncio.gather(
        serienmail("start", half, "--yes"), serienmail("start", whole, "--yes", "--json")
    )
    assert (refused.code, "has text and html; change both, or one with text_from_html" in refused.err) == (1, True)
    assert started.code == 0, started.err
    await serienmail.world.until_received(1)
    [mail] = serienmail.world.inbox.messages()
    bodies = [part.get_content().strip() for part in mail.message.walk() if not part.is_multipart()]
    assert bodies[0].splitlines()[0] == "Hello Person1"
    assert '<p style="color: red;">Hello Person1' in bodies[1]


@pytest.mark.parametrize(
    ("written", "refused"),
    [
        ("text_from_html = true\ntext = 'b'", "The text is to be made of the other body; give that one, and no text"),
        ("html_from_text = true\nhtml = 'b'", "The html is to be made of the other body; give that one, and no html"),
        ("text_from_html = true\nhtml_from_text = true", "can't both be made of the other"),
        ("text = 'b'", "has text and html; change both"),
    ],
)
def test_bodies_that_would_say_different_things_are_refused(written: str, refused: str) -> None:
    with pytest.raises(InvalidOrder, match=refused):
        read_bodies(Table(tomllib.loads(written), KEYS)).apply(BOTH)


def test_who_says_nothing_of_the_bodies_leaves_them() -> None:
    assert Bodies().apply(BOTH) == BOTH
