"""Rehearsal: the real selection, templates and follow-ups against a local inbox, weeks in seconds.

The recipients and templates are copied into an embedded environment; the company's mail server isn't even known there.
"""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from serienmail.domain.mass_mail import Audience, CountedFrom, MassMail
from serienmail.domain.states import DeliveryState
from serienmail.mailing.links import Links
from serienmail.settings import load_settings
from serienmail.storage.copying import copy_for_rehearsal
from serienmail.storage.deliveries import DeliveryList, Story
from starter.environment import ACCOUNT, Embedded, Ports, embedded
from starter.order_file import read_order, to_order
from starter.reader import Reader
from starter.recount import Recount, recount, tables
from starter.services import open_services
from starter.weeks import Weeks
from workflows.progress import words


@dataclass(frozen=True, slots=True)
class Person:
    """What one recipient would get in one stage. mail: the template, empty if none; why, or why not: in words."""

    contact: str
    stage: int
    mail: str
    when: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """The numbers, and everybody's own story."""

    counts: Recount
    people: Sequence[Person]


async def rehearse(environment: Embedded, order: MassMail) -> Rehearsed:
    """Carry an order out in an embedded environment that knows its recipients, templates and selections."""
    links = Links(environment.web_url, environment.settings.link_key.get_secret_value().encode())
    async with httpx.AsyncClient(timeout=30) as http:
        reader = Reader(http, links)
        order = await environment.mails.start(_rehearsable(order))

        async def look() -> None:
            """A rehearsal shows its numbers at the end."""

        await Weeks(environment, order.id, reader, look).live_through()
        report = await environment.mails.status(order.id)
        stories = await DeliveryList(environment.mails.services.database).stories(order.id)
        return Rehearsed(recount(report, reader, environment.inbox), people(order, stories))


def _rehearsable(order: MassMail) -> MassMail:
    """Everybody reads at once here, so the days after each one's own open or click are those after the end."""
    rules = [replace(rule, counted_from=CountedFrom.END, within=None) for rule in order.follow_ups]
    return replace(order, account=ACCOUNT, follow_ups=tuple(rules))


def people(order: MassMail, stories: Sequence[Story]) -> list[Person]:
    """Each recipient in each stage, in the order of the stories; also those whom a follow-up leaves out, and why."""
    told = []
    for _, group in groupby(stories, key=lambda story: story.contact):
        by_stage = {story.stage: story for story in group}
        first = by_stage[0]
        told.append(_person(first, "selected"))
        for stage, rule in enumerate(order.follow_ups, start=1):
            if stage in by_stage:
                told.append(_person(by_stage[stage], words(rule.audience)))
            elif first.state is DeliveryState.SENT:
                told.append(Person(first.contact, stage, "", None, _not_in(rule.audience, first)))
    return told


def _person(story: Story, audience: str) -> Person:
    if story.state is DeliveryState.SENT:
        return Person(story.contact, story.stage, story.template, story.finished_at, audience)
    return Person(story.contact, story.stage, "", None, f"{words(story.state)}: {story.why}")


def _not_in(audience: Audience, first: Story) -> str:
    if not first.measured:
        return f"no answer to '{words(audience)}': no consent to tracking"
    return "had opened it" if first.opened else "had not opened it"


def rehearse_command(order_file: Path, json_output: bool = False) -> int:
    """Rehearse the order in a file with the configured installation's contacts; 0 if all numbers agree."""
    rehearsed = asyncio.run(_rehearse_file(order_file))
    if json_output:
        document = {**rehearsed.counts.as_document(), "people": [asdict(person) for person in rehearsed.people]}
        print(json.dumps(document, default=str, ensure_ascii=False))
    else:
        _show(Console(highlight=False), rehearsed)
    return 0 if rehearsed.counts.agree else 1


async def _rehearse_file(order_file: Path) -> Rehearsed:
    with tempfile.TemporaryDirectory(prefix="serienmail-rehearsal") as folder:
        written = read_order(order_file)
        async with open_services(load_settings()) as real:
            sender = real.post_office.account(written.account or "")
            mail = real.settings.mail
            async with embedded(Path(folder) / "r", Ports(), sender=sender, mail=mail) as environment:
                await copy_for_rehearsal(real.database, environment.mails.services.database)
                return await rehearse(environment, await to_order(environment.mails, written))


def _show(console: Console, rehearsed: Rehearsed) -> None:
    table = Table("contact", "stage", "would get", "when", "why")
    for person in rehearsed.people:
        when = f"{person.when.astimezone():%Y-%m-%d %H:%M}" if person.when else ""
        table.add_row(person.contact, str(person.stage), person.mail or "nothing", when, person.why)
    console.print(table)
    for part in tables(rehearsed.counts):
        console.print(part)
    for difference in rehearsed.counts.differences:
        console.print(difference)
