"""`statistics`: what became of a mass mail in numbers with bars, and who is behind each."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serienmail.domain.exclusion import Exclusion
from serienmail.domain.statistics import SHARE_OF, Number
from starter.commands.calling import Json, MassMailId, command, open_database
from starter.commands.terminal import bar, moment, say, say_json, say_table, words

if TYPE_CHECKING:
    from serienmail.domain.statistics import StageNumbers, Statistics
    from serienmail.storage.deliveries import Page

app = typer.Typer()


class Kind(StrEnum):
    """How the numbers can be taken apart."""

    DOMAINS = "domains"
    PROVIDERS = "providers"
    HOURS = "hours"
    LINKS = "links"
    MACHINES = "machines"


@command(app, "statistics")
async def statistics(
    mass_mail_id: MassMailId,
    number: Annotated[Number | None, typer.Option("--list", help="Whom this number counts, instead.")] = None,
    exclusion: Annotated[Exclusion | None, typer.Option("--reason", help="Of those excluded: for this.")] = None,
    stage: Annotated[
        int | None, typer.Option(min=0, max=3, help="0 for the mass mail itself, 1 to 3 for a follow-up.")
    ] = None,
    by: Annotated[Kind | None, typer.Option(help="Take the numbers apart, instead.")] = None,
    after: Annotated[str, typer.Option(help="Go on after the last page, as that says.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Recipients a page.")] = 100,
    json: Json = False,
) -> None:
    """How many were sent, delivered, opened, clicked and more, as shares and bars."""
    async with open_database() as services:
        store = services.statistics
        if number or exclusion:
            asked = number or Number.EXCLUDED
            page = await store.behind(mass_mail_id, asked, stage=stage, exclusion=exclusion, after=after, limit=limit)
            say_json(page) if json else _show_page(page)
        elif by:
            parts = getattr(await store.breakdown(mass_mail_id, stage), by.value)
            say_json(parts) if json else _show_parts(by, parts)
        else:
            found = await store.of(mass_mail_id)
            say_json(found) if json else _show(found, stage)


def _show(found: "Statistics", stage: int | None) -> None:
    say(f"{found.name} ({found.mass_mail_id})")
    shown = {number: numbers for number, numbers in found.stages.items() if stage in (None, number)}
    for number, numbers in shown.items():
        _show_stage(f"follow-up {number}" if number else "mass mail", numbers)
    if len(shown) > 1:
        _show_stage("all together", found.total)


def _show_stage(name: str, stage: "StageNumbers") -> None:
    say()
    say_table([name, "", "share of", "", ""], _rows(stage), numbers=[1, 3])


def _rows(stage: "StageNumbers") -> list[list[str]]:
    """Without what counts nobody and is a share of nobody; the reasons of exclusion below their sum."""
    rows = []
    for number, count in stage.numbers.items():
        share = stage.rates.get(number)
        if share is not None:
            rows.append([words(number), str(count), words(SHARE_OF[number]), f"{share:.1%}", bar(share)])
        elif count:
            rows.append([words(number), str(count), "", "", ""])
        if number is Number.EXCLUDED:
            rows += [[f"  {Exclusion(code).words}", str(n), "", "", ""] for code, n in stage.excluded.items()]
    return rows


def _show_page(page: "Page") -> None:
    if not page.recipients:
        say("There are none.")
        return
    rows = [[str(s.stage), str(s.seq), s.contact, words(s.state), moment(s.finished_at), s.why]
            for s in page.recipients]  # fmt: skip
    say_table(["stage", "recipient", "contact", "state", "when", "why"], rows, numbers=range(2))
    if page.next:
        say(f"\nThere are more: --after {page.next}")


def _show_parts(by: Kind, parts: Any) -> None:
    if not parts:
        say("There are none.")
    elif by is Kind.MACHINES:
        say_table(["known by", "mails"], [[reason, str(mails)] for reason, mails in parts.items()], numbers=[1])
    elif by is Kind.LINKS:
        rows = [[link.url, str(link.people), str(link.clicks), str(link.machines)] for link in parts]
        say_table(["link", "mails", "clicks", "by machines"], rows, numbers=[1, 2, 3])
    else:
        numbers = list(parts[0].numbers)
        names = [moment(part.at) if by is Kind.HOURS else part.name or "(others)" for part in parts]
        rows = [
            [name, *(str(part.numbers[number]) for number in numbers)] for name, part in zip(names, parts, strict=True)
        ]
        say_table(["", *map(words, numbers)], rows, numbers=range(1, len(numbers) + 1))
