"""python -m benchmarks.recipients --contacts 100000 --rows 100000 [--json] [--database postgresql]"""

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.chaos.installation import a_database
from benchmarks.recipients.run import Result, run
from serienmail.domain.errors import SerienmailError


def main() -> None:
    """Measure, and print what was measured."""
    chosen = _parser().parse_args()
    try:
        result = asyncio.run(_measured(chosen.contacts, chosen.rows, chosen.database))
    except SerienmailError as refusal:
        sys.exit(str(refusal))
    if chosen.json:
        print(json.dumps(asdict(result)))
    else:
        for name, value in asdict(result).items():
            print(f"{name:<24}{value:>12}")


async def _measured(contacts: int, rows: int, database: str) -> Result:
    with tempfile.TemporaryDirectory(prefix="serienmail-recipients") as name:
        folder = Path(name)
        if "://" in database:
            return await run(database, contacts, rows, folder)
        async with a_database(database, folder) as url:
            return await run(url, contacts, rows, folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.recipients", description="Import, select and check recipients.")
    parser.add_argument("--contacts", type=int, default=100_000, help="in the database when recipients are selected")
    parser.add_argument("--rows", type=int, default=100_000, help="of the CSV file that is imported")
    parser.add_argument("--database", default="sqlite", help="sqlite, postgresql, or the URL of an empty database")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    return parser


if __name__ == "__main__":
    main()
