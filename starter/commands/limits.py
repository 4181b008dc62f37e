"""`limits …`: how much each account may send, and changing that while mails go out."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from starter.commands.calling import By, Json, command, open_database
from starter.commands.terminal import moment, say, say_error, say_json, say_table, words

if TYPE_CHECKING:
    from serienmail.storage.limits import LimitsInForce

app = typer.Typer(name="limits", help="How much each account may send.", no_args_is_help=True)
AccountName = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's name in the settings.")]
Limit = Annotated[int | None, typer.Option(min=0, help="0: no limit.", show_default=False)]


@command(app, "show")
async def show(json: Json = False) -> None:
    """The limits of every account, and who changed them."""
    async with open_database() as services:
        found = await services.limits.all()
    _tell(found, json)


@command(app, "set")
async def change(
    account: AccountName,
    by: By,
    connections: Limit = None,
    mails_per_connection: Limit = None,
    per_second: Limit = None,
    per_minute: Limit = None,
    per_hour: Limit = None,
    per_day: Limit = None,
    block: Limit = None,
    pause_minutes: Limit = None,
    json: Json = False,
) -> None:
    """Change an account's limits, for all workers within seconds; mass mails that wait look again. Only administrators
    may.
    """
    given = {
        "connections": connections,
        "mails_per_connection": mails_per_connection,
        "per_second": per_second,
        "per_minute": per_minute,
        "per_hour": per_hour,
        "per_day": per_day,
        "block": block,
        "pause_minutes": pause_minutes,
    }
    changes = {name: value or None for name, value in given.items() if value is not None}
    if not changes:
        raise typer.BadParameter("say what to change, such as --per-hour 500")
    from serienmail.domain.errors import EnvironmentFault
    from starter.connection import connect_to_temporal
    from starter.limits import change_limits, tell_who_waits

    async with open_database() as services:
        changed = await change_limits(services, account, by, changes)
    _tell([changed], json)
    try:
        await tell_who_waits(await connect_to_temporal(), account)
    except EnvironmentFault as fault:  # an emergency's lower limit must not fail for that
        say_error(f"mass mails that wait already go on at their time, for they couldn't be told: {fault}")


def _tell(accounts: Sequence["LimitsInForce"], json: bool) -> None:
    if json:
        say_json(accounts)
        return
    for account in accounts:
        by = f", changed by {account.changed_by} at {moment(account.changed_at)}" if account.changed_by else ""
        say(f"{account.account}{by}")
        limits = asdict(account.limits).items()
        rows = [(words(name), "no limit" if value is None else str(value)) for name, value in limits]
        say_table(("limit", "value"), rows, numbers=[1])
