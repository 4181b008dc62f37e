"""`edit`, `stop`, `restart` and the like: commands to a mass mail that runs."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serienmail.domain.commands import Edit, Resolution
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.mass_mail import MassMail
from starter.commands.calling import By, Json, MassMailId, command, open_mass_mails
from starter.commands.starting import Due, Tags, exclusive
from starter.commands.terminal import say, say_json, words
from starter.letter import compose
from starter.order_file import OrderFile, read_order, store_crm_record, store_follow_ups, store_recipients
from starter.problems import all_at_once
from starter.toml_file import read_moment

if TYPE_CHECKING:
    from serienmail.domain.status import Status
    from starter.client import MassMails

app = typer.Typer()
Stage = Annotated[int | None, typer.Option(min=0, max=3, help="One follow-up alone (1 to 3).")]


@command(app, "edit")
async def edit(
    mass_mail_id: MassMailId,
    by: By,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    template: Annotated[str | None, typer.Option(help="A template's name, or name@revision.")] = None,
    due: Due = None,
    tag: Tags = None,
    order: Annotated[Path | None, typer.Option(metavar="ORDER.toml", help="Replaces all it can.")] = None,
    json: Json = False,
) -> None:
    """Change what isn't sent yet."""
    if not any((name, template, due, tag, order)):
        raise typer.BadParameter("say what to change: --name, --template, --due, --tag or --order")
    written = read_order(order) if order else None
    given: dict[str, object] = {"name": name, "template": template, "due": read_moment(due) if due else None}
    given["tags"] = tuple(tag) if tag else None

    async def change(mails: "MassMails") -> "Status":
        wanted = await _replacement(mails, mass_mail_id, written) if written else {}
        wanted |= {key: value for key, value in given.items() if value is not None}
        return await mails.edit(mass_mail_id, Edit(by=by, **wanted))  # type: ignore[arg-type]  # keys of Edit

    await _give(mass_mail_id, change, json)


@command(app, "stop")
async def stop(mass_mail_id: MassMailId, by: By, stage: Stage = None, json: Json = False) -> None:
    """Send nothing more until a restart."""
    await _give(mass_mail_id, lambda mails: mails.stop(mass_mail_id, by, stage), json)


@command(app, "restart")
async def restart(
    mass_mail_id: MassMailId,
    by: By,
    stage: Stage = None,
    due: Due = None,
    now: Annotated[bool, typer.Option("--now", help="Send at once.")] = False,
    json: Json = False,
) -> None:
    """Go on where it was stopped; with a new time, or --now, if its time has passed."""
    at = exclusive(due, now)
    await _give(mass_mail_id, lambda mails: mails.restart(mass_mail_id, by, stage, at, now), json)


@command(app, "send-again")
async def send_again(mass_mail_id: MassMailId, by: By, json: Json = False) -> None:
    """Look again at who was excluded, failed or rejected; nobody gets it twice."""
    await _give(mass_mail_id, lambda mails: mails.send_again(mass_mail_id, by), json)


@command(app, "resolve")
async def resolve(
    mass_mail_id: MassMailId,
    outcome: Annotated[Resolution, typer.Option("--as", help="It arrived, or is to be sent again.")],
    by: By,
    stage: Annotated[int, typer.Option(min=0, max=3, help="0 for the mass mail itself, 1 to 3 for a follow-up.")] = 0,
    contact: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Only this one; can be repeated. Default: all in doubt.")
    ] = None,
    json: Json = False,
) -> None:
    """Settle mails in doubt, which 'recipients ID --state unknown' lists."""
    await _give(mass_mail_id, lambda mails: mails.resolve(mass_mail_id, by, outcome, stage, contact or ()), json)


@command(app, "finish")
async def finish(mass_mail_id: MassMailId, by: By, json: Json = False) -> None:
    """Leave it as it is; then it can't be changed any more."""
    await _give(mass_mail_id, lambda mails: mails.finish(mass_mail_id, by), json)


@command(app, "delete")
async def delete(mass_mail_id: MassMailId, by: By, stage: Stage = None, json: Json = False) -> None:
    """Send nothing more, ever; what was sent stays on record."""
    await _give(mass_mail_id, lambda mails: mails.delete(mass_mail_id, by, stage), json)


@command(app, "repair")
async def repair(by: By, json: Json = False) -> None:
    """Bring back, stopped, every mass mail whose workflow was lost."""
    async with open_mass_mails() as mails:
        ids = await mails.repair(by)
    if json:
        say_json(ids)
    else:
        say(f"Brought back, stopped: {', '.join(ids)}." if ids else "Nothing was lost.")


async def _give(mass_mail_id: str, order: Callable[["MassMails"], Awaitable["Status"]], json: bool) -> None:
    """Give a command and tell what came of it. An answer always has a newer version than the list had before."""
    async with open_mass_mails() as mails:
        before = (await mails.services.mass_mails.get(mass_mail_id)).status.version
        status = await order(mails)
    answered = status.version > before
    if json:
        say_json({"answered": answered, "status": status})
    elif answered:
        say(f"{status.order.name} is {words(status.state)}" + (f" ({status.reason})." if status.reason else "."))
    else:
        say(f"Sent; no worker has answered yet, see 'serienmail show {mass_mail_id}'.")


async def _replacement(mails: "MassMails", mass_mail_id: str, file: OrderFile) -> dict[str, object]:
    """What a whole order changes; its time only if it is another one, for a time can't be given again once it began."""
    order = (await mails.services.mass_mails.get(mass_mail_id)).order
    _check_unchangeable(order, file)
    with all_at_once() as problems:
        follow_ups = await store_follow_ups(mails, file, problems)
        order = replace(order, template=file.template or order.template, follow_ups=follow_ups)
        composed = await compose(mails.services, order, file.letter, problems)
        selection = await store_recipients(mails, file, problems)
        crm = await store_crm_record(mails, file.crm, problems)
    return {
        "name": file.name,
        "template": composed.template,
        "selection": selection,
        "due": None if file.due == order.due else file.due,
        "follow_ups": composed.follow_ups,
        "opted_in_only": file.opted_in_only,
        "on_missing": file.on_missing,
        "in_doubt": file.in_doubt,
        "triggers": file.triggers,
        "crm": crm,
        "tags": file.tags,
    }


def _check_unchangeable(order: MassMail, file: OrderFile) -> None:
    same = file.account in (None, order.account) and file.topic in (None, order.topic)
    same = same and file.auto_answer in (order.auto_answer, order.auto_answer.partition("@")[0])
    fixed = (order.measured, order.copies, order.stop_on_reply, order.notify)
    if not same or (file.measured, file.copies, file.stop_on_reply, file.notify) != fixed:
        raise InvalidOrder(
            "Account, topic, 'measured', 'copies', 'stop_on_reply', 'auto_answer' and 'notify' of a mass mail can't be "
            "changed; start another."
        )
