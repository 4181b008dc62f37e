"""`preview` and `test-mail`: what somebody would get, without anybody getting it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serienmail.domain.contact import CONTACTS
from serienmail.domain.delivery import Verdict
from serienmail.domain.errors import InvalidOrder
from starter.commands.calling import By, Json, Module, command, open_database
from starter.commands.terminal import say, say_as_it_is, say_json, say_table, words
from starter.order_file import OrderFile, read_order

if TYPE_CHECKING:
    from serienmail.domain.template import Template
    from starter.enclosing import ReadFiles
    from starter.preview import Preview
    from starter.services import Services

app = typer.Typer()
ContactKey = Annotated[str, typer.Option("--contact", metavar="KEY", help="A contact's key in the CRM.")]
What = Annotated[str, typer.Argument(metavar="ORDER.toml|TEMPLATE", help="An order, or a template's name.")]
AccountName = Annotated[str | None, typer.Option("--account", help="The sending account, if there are several.")]


@command(app, "preview")
async def preview_mail(
    what: What,
    contact: ContactKey,
    by: By,
    account: AccountName = None,
    module: Module = CONTACTS,
    html: Annotated[Path | None, typer.Option(help="Write the HTML to this file.")] = None,
    source: Annotated[Path | None, typer.Option(help="Write the mail to this file, as it would be sent.")] = None,
    json: Json = False,
) -> None:
    """Show one contact's mail; nothing is sent or stored."""
    from starter.preview import contact_by_key, preview

    async with open_database() as services:
        template, sender, files, of_module = await _meant(services, what, account, by, module)
        merge_fields = await contact_by_key(services, contact, of_module)
        shown = await preview(services, template, sender, merge_fields, of_module, files)
    if html:
        html.write_text(shown.html, "utf-8")
    if source:
        source.write_text(shown.source, "utf-8", newline="")
    if json:
        say_json(shown)
    else:
        _show(shown, html)


@command(app, "test-mail")
async def test_mail(
    what: What,
    to: Annotated[list[str], typer.Option(metavar="ADDRESS", help="Who gets it; may be repeated.")],
    contact: ContactKey,
    by: By,
    account: AccountName = None,
    module: Module = CONTACTS,
    json: Json = False,
) -> None:
    """Send one contact's mail to yourself or colleagues, marked as a test, with links that lead nowhere."""
    from starter.on_record import on_record
    from starter.preview import contact_by_key
    from starter.trial_mail import send_test_mails

    async with open_database() as services:
        template, sender, files, of_module = await _meant(services, what, account, by, module)
        merge_fields = await contact_by_key(services, contact, of_module)
        async with on_record(services, "test_mail", by, f"template {template.ref}") as noted:
            answers = await send_test_mails(services, template, sender, merge_fields, to, of_module, files)
            noted.after["mails"] = len(answers)
    if json:
        say_json(answers)
    else:
        say_table(
            ["to", "verdict", "answer of the mail server"],
            [[address, words(answer.verdict), answer.reply] for address, answer in answers.items()],
        )
    if any(answer.verdict is not Verdict.ACCEPTED for answer in answers.values()):
        raise typer.Exit(1)


async def _meant(
    services: "Services", what: str, account: str | None, by: str, module: str
) -> tuple["Template", str, "ReadFiles | None", str]:
    """The template as it would be sent, its account, the files that an order encloses, and whose module it is for."""
    from starter.letter import Letter, sender_known

    written = read_order(Path(what)) if what.endswith(".toml") else OrderFile(template=what, module=module)
    if written.template is None:
        raise InvalidOrder("The order has no template; name one.")
    letter: Letter = written.letter
    found = await services.templates.get(await services.templates.newest(written.template))
    if not found.ref.is_of_one_mass_mail:
        found = letter.sent_by(letter.apply(found), sender_known(services, by))
    return found, account or written.account or only_account(services), letter.files, written.module


def only_account(services: "Services") -> str:
    """The account to send from if none is named; InvalidOrder if that can't be told."""
    names = sorted(services.settings.accounts)
    if len(names) != 1:
        raise InvalidOrder(f"Name a sending account with --account; there are: {', '.join(names) or 'none yet'}.")
    return names[0]


def _show(shown: "Preview", html: Path | None) -> None:
    say_as_it_is("\n".join(f"{name}: {value}" for name, value in shown.headers))
    if shown.text:
        say_as_it_is(f"\n{shown.text}")
    if shown.html and not html:
        say_as_it_is(f"\n{'─' * 20} HTML {'─' * 20}\n{shown.html}")
    if html:
        say(f"\nThe HTML is in {html}.")
