"""`preview` and `test-mail`: what somebody would get, without anybody getting it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serienmail.domain.contact import CONTACTS
from serienmail.domain.delivery import Verdict
from serienmail.domain.errors import InvalidOrder
from starter.commands.calling import Json, Module, command, open_database
from starter.commands.terminal import say, say_as_it_is, say_json, say_table, words
from starter.order_file import read_order

if TYPE_CHECKING:
    from starter.preview import Preview
    from starter.services import Services

app = typer.Typer()
ContactKey = Annotated[str, typer.Option("--contact", metavar="KEY", help="A contact's key in the CRM.")]
AccountName = Annotated[str | None, typer.Option("--account", help="The sending account, if there are several.")]


@command(app, "preview")
async def preview_mail(
    what: Annotated[str, typer.Argument(metavar="ORDER.toml|TEMPLATE", help="An order, or a template's name.")],
    contact: ContactKey,
    account: AccountName = None,
    module: Module = CONTACTS,
    html: Annotated[Path | None, typer.Option(help="Write the HTML to this file.")] = None,
    json: Json = False,
) -> None:
    """Show one contact's mail; nothing is sent or stored."""
    from starter.preview import contact_by_key, preview

    template: str | None = what
    if what.endswith(".toml"):
        order = read_order(Path(what))
        template, account, module = order.template, account or order.account, order.module
    if template is None:
        raise InvalidOrder("The order has no template; name one.")
    async with open_database() as services:
        found = await services.templates.get(await services.templates.newest(template))
        merge_fields = await contact_by_key(services, contact, module)
        shown = await preview(services, found, account or only_account(services), merge_fields, module)
    if html:
        html.write_text(shown.html, "utf-8")
    if json:
        say_json(shown)
    else:
        _show(shown, html)


@command(app, "test-mail")
async def test_mail(
    template: Annotated[str, typer.Option(help="A template's name, or name@revision.")],
    to: Annotated[list[str], typer.Option(metavar="ADDRESS", help="Who gets it; may be repeated.")],
    contact: ContactKey,
    account: AccountName = None,
    module: Module = CONTACTS,
    json: Json = False,
) -> None:
    """Send one contact's mail to yourself or colleagues, marked as a test, with links that lead nowhere."""
    from starter.preview import contact_by_key
    from starter.trial_mail import send_test_mails

    async with open_database() as services:
        merge_fields, sender = await contact_by_key(services, contact, module), account or only_account(services)
        answers = await send_test_mails(services, template, sender, merge_fields, to, module)
    if json:
        say_json(answers)
    else:
        say_table(
            ["to", "verdict", "answer of the mail server"],
            [[address, words(answer.verdict), answer.reply] for address, answer in answers.items()],
        )
    if any(answer.verdict is not Verdict.ACCEPTED for answer in answers.values()):
        raise typer.Exit(1)


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
