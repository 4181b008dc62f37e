"""python -m benchmarks.afterwards --recipients 10000 --seed 1 [--json]; exit code 1 if a number differs."""

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.afterwards.run import Result, run
from serienmail.domain.errors import SerienmailError


def main() -> None:
    """Play the script, and print what it says and what was found side by side."""
    parser = argparse.ArgumentParser(prog="benchmarks.afterwards", description="What comes back, counted twice.")
    parser.add_argument("--recipients", type=int, default=1_000, help="of the mass mail (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="what the script is drawn from (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    chosen = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="serienmail-afterwards") as folder:
            result = asyncio.run(run(chosen.recipients, chosen.seed, Path(folder)))
    except SerienmailError as refusal:
        sys.exit(str(refusal))
    if chosen.json:
        print(json.dumps(asdict(result)))
    else:
        _show(result)
    sys.exit(0 if result.agree else 1)


def _show(result: Result) -> None:
    table = Table("number", "expected", "got", "")
    for each in result.compared:
        table.add_row(each.what, str(each.expected), str(each.got), "" if each.expected == each.got else "differs")
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"{result.events} events in {result.seconds} s, {result.events_per_second} a second; {result.events_lost} lost."
    )
    console.print("All numbers agree." if result.agree else "The numbers do not agree.")


if __name__ == "__main__":
    main()
