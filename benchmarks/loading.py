"""How long the steps before sending take: python -m benchmarks.loading --people 1000000 --database postgresql [--json]

The dry run before the order, loading the ledger, checking who was loaded, and what a worker needs for it.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.chaos.installation import a_database
from benchmarks.people import make_people
from benchmarks.throughput.message import TEMPLATE
from serienmail.domain.delivery import StageKey
from serienmail.domain.loading import Load
from serienmail.domain.mass_mail import OnMissing
from serienmail.domain.provider import Providers
from serienmail.mailing.requirements import requirements
from serienmail.mailing.template import compile_template
from serienmail.storage.database import Database
from serienmail.storage.ledger import Ledger
from serienmail.storage.loading import RecipientStore
from serienmail.storage.migration import migrate
from serienmail.storage.shaping import Shaping


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Seconds of each step. plan_seconds: the first plan of what to send. rss_mb: the most this process ever had."""

    people: int
    database: str
    made_seconds: float
    dry_run_seconds: float
    load_seconds: float
    check_seconds: float
    plan_seconds: float
    count_seconds: float
    rss_mb: float


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(prog="benchmarks.loading", description="Measure the steps before sending.")
    parser.add_argument("--people", type=int, default=1_000_000, help="recipients")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="postgresql")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="serienmail-loading") as folder:
        result = uvloop.run(_run(chosen.people, chosen.database, Path(folder)))
    if chosen.json:
        sys.stdout.write(f"{json.dumps(asdict(result))}\n")
    else:
        table = Table("measured", "result")
        for name, value in asdict(result).items():
            table.add_row(name.replace("_", " "), str(value))
        Console().print(table)


async def _run(people: int, kind: str, folder: Path) -> Result:
    async with a_database(kind, folder) as url:
        database = Database(url)
        try:
            await migrate(database)
            made = await _seconds(make_people(database, people))
            return await _measured(people, kind, database, made)
        finally:
            await database.close()


async def _measured(people: int, kind: str, database: Database, made: float) -> Result:
    key, now = StageKey("benchmark", 0), datetime.now(UTC)
    load = Load(key=key, revision=1, opted_in_only=True, on_missing=OnMissing.REFUSE, templates=("benchmark@1",))
    asked = requirements([compile_template(TEMPLATE)]) or ()
    recipients = RecipientStore(database)
    ledger = Ledger(database, lambda account, number, stage, seq: "", Shaping(database, {}, Providers()))
    return Result(
        people=people,
        database=kind,
        made_seconds=made,
        dry_run_seconds=await _seconds(recipients.preview(load, asked)),
        load_seconds=await _seconds(recipients.load(load, now)),
        check_seconds=await _seconds(recipients.faults(key, asked)),
        plan_seconds=await _seconds(ledger.plan(key, None, now)),
        count_seconds=await _seconds(ledger.counts(key)),
        rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1),  # Linux tells KiB
    )


async def _seconds(work: Awaitable[object]) -> float:
    began = time.monotonic()
    await work
    return round(time.monotonic() - began, 2)


if __name__ == "__main__":
    main()
