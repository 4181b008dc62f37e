"""One run: contacts are there, recipients are selected among them and checked; then a file is imported."""

import resource
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import insert

from activities.checks import Batches, faulty
from benchmarks.throughput.message import ACCOUNT, LINK_KEY, SENDER, TEMPLATE, person
from serienmail.domain.contact import BUILT_IN_FIELDS, FieldType
from serienmail.domain.criteria import InFilter, InList, where
from serienmail.domain.delivery import StageKey
from serienmail.domain.loading import Load
from serienmail.domain.mass_mail import OnMissing
from serienmail.mailing.account import Account
from serienmail.settings import Settings
from serienmail.storage.contact_file import import_contacts
from serienmail.storage.contacts import Attribute
from serienmail.storage.database import Database
from serienmail.storage.migration import migrate
from serienmail.storage.tables import contact
from starter.recipients import Recipients
from starter.services import Services, open_services

_CHECKED = 100_000
_BATCH = 10_000
_HEADINGS = (
    "Nr;Anrede;Vorname;Nachname;Firma;E-Mail;PLZ;Ort;Branche;Kunde seit;Umsatz;Serienmail zusenden;Tracking erlaubt\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """select_seconds: into the ledger, by a filter, a list and an attribute, each contact judged.

    checks_seconds: every placeholder of ``checked`` recipients. import_seconds: of a CSV file with 13 columns, into a
    database without contacts. rss_mb: the most memory of this process, in MB of 10⁶ bytes.
    """

    contacts: int
    select_seconds: float
    checks_seconds: float
    checked: int
    import_rows: int
    import_seconds: float
    import_rows_per_second: float
    rss_mb: float
    database: str


async def run(url: str, contacts: int, rows: int, folder: Path) -> Result:
    """url: of an empty database; the file is imported as another module's records."""
    database = Database(url)
    await migrate(database)
    await _fill(database, contacts)
    await database.close()
    accounts = {ACCOUNT: Account(host="127.0.0.1", from_address=SENDER)}
    settings = Settings(database_url=url, link_key=SecretStr(LINK_KEY.get_secret_value()), accounts=accounts)
    async with open_services(settings) as services:
        select_seconds, load = await _select(services)
        checks_seconds, checked = await _check(services, load)
        file = _write_file(folder / "contacts.csv", rows)
        began = time.perf_counter()
        await import_contacts(services.contacts, file, module="imported")
        import_seconds = time.perf_counter() - began
    return Result(
        contacts=contacts,
        select_seconds=round(select_seconds, 2),
        checks_seconds=round(checks_seconds, 2),
        checked=checked,
        import_rows=rows,
        import_seconds=round(import_seconds, 2),
        import_rows_per_second=round(rows / import_seconds, 1),
        rss_mb=round(_peak_mb(), 1),
        database=url.partition("+")[0],
    )


async def _fill(database: Database, contacts: int) -> None:
    now = datetime.now(UTC)
    for start in range(1, contacts + 1, _BATCH):
        numbers = range(start, min(start + _BATCH, contacts + 1))
        async with database.write() as connection:
            await connection.execute(insert(contact), [_row(number) | {"imported_at": now} for number in numbers])


def _row(number: int) -> dict[str, Any]:
    built_in = {name: getattr(person(number), name) for name in BUILT_IN_FIELDS}
    attributes = {"revenue": number % 1000, "industry": f"Branche {number % 20}"}
    return built_in | {"module": "contact", "address_key": built_in["email"], "attributes": attributes}


async def _select(services: Services) -> tuple[float, Load]:
    recipients = Recipients(services)
    await services.contacts.learn([Attribute("revenue", FieldType.NUMBER), Attribute("industry", FieldType.TEXT)])
    await recipients.save_filter("customers", where("revenue").ge(10), by="benchmark")
    await recipients.create_list("fair", where("industry").eq("Branche 7"), by="benchmark")
    chosen = await recipients.select(InFilter("customers") | InList("fair"))
    await services.templates.add(TEMPLATE, datetime.now(UTC))
    load = Load(
        key=StageKey("benchmark", 0), revision=1, opted_in_only=True, on_missing=OnMissing.REFUSE,
        templates=(str(await services.templates.newest(TEMPLATE.name)),), account=ACCOUNT, selection=chosen,
    )  # fmt: skip
    began = time.perf_counter()
    await services.recipients.load(load, datetime.now(UTC))
    return time.perf_counter() - began, load


async def _check(services: Services, load: Load) -> tuple[float, int]:
    checked = 0

    async def first() -> Batches:
        nonlocal checked
        async for batch in services.recipients.pending(load.key):
            checked += len(batch)
            yield batch
            if checked >= _CHECKED:
                return

    began = time.perf_counter()
    async for _ in faulty(first(), services.post_office, load.templates, load.account):
        pass  # rendered one by one, as templates with conditions are
    return time.perf_counter() - began, checked


def _write_file(path: Path, rows: int) -> Path:
    with path.open("w", encoding="utf-8") as file:
        file.write(_HEADINGS)
        for number in range(1, rows + 1):
            file.write(
                f"{number};Frau;Käthe;Person{number};Firma {number % 999};person{number}@example.org;"
                f"{number % 99999:05};Ort {number % 1000};Branche {number % 20};{number % 28 + 1:02}.08.2019;"
                f"{number % 900 + 1}.{number % 900:03},50;ja;nein\n"
            )
    return path


def _peak_mb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux (getrusage(2))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
