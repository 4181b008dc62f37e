"""The demo: a whole mass mail with three follow-ups on the real parts, weeks in seconds, every number recounted."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from serienmail.domain.commands import Edit
from serienmail.domain.criteria import where
from serienmail.domain.delivery import StageKey
from serienmail.domain.mass_mail import Audience, FollowUp, MassMail
from serienmail.domain.states import DeliveryState, MassMailState
from serienmail.mailing.links import Links
from serienmail.storage.contact_file import import_contacts
from starter.environment import ACCOUNT, Embedded, Ports, embedded
from starter.reader import Reader
from starter.recount import Recount, recount, tables
from starter.template_file import read_template
from starter.weeks import Weeks
from workflows.progress import words

FOLDER = Path(".serienmail/demo")
EXAMPLES = Path(__file__).parent.parent / "examples"
OWNER = "a.schmidt"


def demo_command(contacts: Path, mapping: Path | None = None, json_output: bool = False) -> int:
    """Run the demo with these contacts; 0 only if every number agrees. Writes .serienmail/demo/report.json."""
    result = asyncio.run(_demo(contacts, mapping, Console(highlight=False, stderr=json_output)))
    document = json.dumps(result.as_document(), indent=2, ensure_ascii=False)
    (FOLDER / "report.json").write_text(document + "\n")
    if json_output:
        print(document)
    return 0 if result.agree else 1


async def _demo(contacts: Path, mapping: Path | None, console: Console) -> Recount:
    console.print("Starting Temporal, database, inbox, web and worker …")
    async with embedded(FOLDER, Ports(ui=0)) as environment, httpx.AsyncClient(timeout=30) as http:
        console.print(f"Temporal UI: {environment.ui_url}")
        await _import(environment, contacts, mapping, console)
        links = Links(environment.web_url, environment.settings.link_key.get_secret_value().encode())
        reader = Reader(http, links)
        order = await environment.mails.start(await _order(environment))
        console.print(f"Started '{order.name}' for {order.due:%Y-%m-%d %H:%M %Z}, with three follow-ups.")
        with _progress(console) as bars:
            await _live(environment, order, reader, Bars(environment, order, bars))
        report = await environment.mails.status(order.id)
        result = recount(report, reader, environment.inbox)
        _show(console, result, environment.ui_url)
        return result


async def _import(environment: Embedded, contacts: Path, mapping: Path | None, console: Console) -> None:
    beside = contacts.with_suffix(".toml")
    mapping = mapping or (beside if beside.exists() else None)
    report = await import_contacts(environment.mails.services.contacts, contacts, mapping)
    console.print(f"Imported {report.rows} contacts from {contacts.name}; {len(report.bad)} rows could not be read.")
    for bad in report.bad[:5]:
        console.print(f"  line {bad.line}: {bad.reason}")


async def _order(environment: Embedded) -> MassMail:
    """Everyone, in two days, with three follow-ups; whatever fields the contacts have besides the built-in ones."""
    for file in sorted((EXAMPLES / "templates").glob("*.toml")):
        services = environment.mails.services
        await services.templates.add(await read_template(file).store_files(services), datetime.now(UTC))
    english_speaking = await environment.mails.select(where("language").eq("en"))
    return MassMail(
        id="herbstangebot",
        name="Herbstangebot",
        created_by=OWNER,
        account=ACCOUNT,
        template="herbstangebot",
        due=datetime.now(UTC).replace(microsecond=0) + timedelta(days=2),
        follow_ups=(
            FollowUp(template="nachfass-geoeffnet", audience=Audience.OPENED, after=timedelta(days=3)),
            FollowUp(template="nachfass-nicht-geoeffnet", audience=Audience.NOT_OPENED, after=timedelta(days=7)),
            FollowUp(
                template="erinnerung", audience=Audience.RECEIVED, after=timedelta(days=14), ignore=english_speaking
            ),
        ),
    )


async def _live(environment: Embedded, order: MassMail, reader: Reader, bars: "Bars") -> None:
    """Edit, stop and restart while it waits; then the weeks."""
    mails, weeks = environment.mails, Weeks(environment, order.id, reader, bars.look)
    await weeks.settled()
    await mails.edit(order.id, Edit(by=OWNER, name="Herbstangebot 2026"))
    await mails.stop(order.id, by=OWNER)
    await weeks.settled()
    await mails.restart(order.id, by=OWNER)
    await weeks.live_through()
    status = (await mails.status(order.id)).status
    if status.state in (MassMailState.INCOMPLETE, MassMailState.INCOMPLETE_WITH_ERRORS):
        await mails.finish(order.id, by=OWNER)
    await mails.wait(order.id)
    await bars.look()


class Bars:
    """A progress bar for each stage, moved by what the ledger says."""

    def __init__(self, environment: Embedded, order: MassMail, progress: Progress) -> None:
        self._recipients = environment.mails.services.recipients
        self._order = order
        self._progress = progress
        names = ["mass mail", *(f"follow-up: {words(rule.audience)}" for rule in order.follow_ups)]
        self._bars: list[TaskID] = [progress.add_task(name, total=None) for name in names]

    async def look(self) -> None:
        """Move all bars to where the ledger is."""
        for stage, bar in enumerate(self._bars):
            counts = await self._recipients.counts(StageKey(self._order.id, stage))
            if counts.selected:
                self._progress.update(bar, total=counts.will_receive, completed=counts.of(DeliveryState.SENT))


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)


def _show(console: Console, result: Recount, ui_url: str) -> None:
    for table in tables(result):
        console.print(table)
    for difference in result.differences:
        console.print(f"[red]{difference}[/red]")
    agree = "All numbers agree" if result.agree else "The numbers do not agree"
    console.print(f"{agree}: {result.duplicates} came twice, {result.lost} were lost.")
    console.print(f"The Temporal UI was at {ui_url}; 'make dev' keeps one up. The mails lie in {FOLDER / 'inbox'}.")
