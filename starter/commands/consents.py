"""`consent …`: asking people for their consent."""

from typing import Annotated

import typer

from serienmail.domain.consent import Purpose
from serienmail.domain.contact import CONTACTS
from starter.commands.calling import By, Json, Module, command, open_mass_mails
from starter.commands.terminal import say, say_json
from starter.commands.trying import AccountName, only_account

app = typer.Typer(name="consent", help="What people agree to.", no_args_is_help=True)


@app.callback()
def consent() -> None:
    """Without it, typer takes a group's only command for the group."""


@command(app, "request")
async def request(
    contact: Annotated[str, typer.Argument(metavar="KEY", help="A contact's key in the CRM.")],
    template: Annotated[str, typer.Option(help="A template that prints confirm_url.")],
    by: By,
    account: AccountName = None,
    purpose: Annotated[Purpose, typer.Option(help="What they are asked for.")] = Purpose.MASS_MAIL,
    module: Module = CONTACTS,
    json: Json = False,
) -> None:
    """Ask a contact by mail (double opt-in); only their click on the page's button is a consent."""
    from starter.consents import Consents

    async with open_mass_mails() as mails:
        sender = account or only_account(mails.services)
        number = await Consents(mails).request(contact, by, template, sender, purpose, module)
    if json:
        say_json({"request": number})
    else:
        say(f"Request {number} is on its way.")
