"""python -m benchmarks.throughput --mails 20000 [--json] [--database postgresql] [--sink HOST:PORT] [--workers 2]"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.throughput.product import Options
from benchmarks.throughput.run import Result, run
from serienmail.domain.errors import SerienmailError


def main() -> None:
    """Measure, and print what was measured; exit code 1 if a mail was lost or sent twice."""
    code = 0
    chosen = vars(_parser().parse_args())
    as_json, database, sink = (chosen.pop(name) for name in ("json", "database", "sink"))
    try:
        with tempfile.TemporaryDirectory(prefix="serienmail-throughput") as folder:
            result = uvloop.run(run(Options(**chosen), database, sink, Path(folder)))
        print(json.dumps(asdict(result))) if as_json else Console().print(_table(result))
        code = 1 if result.duplicates or result.lost else 0
    except SerienmailError as refusal:
        sys.stderr.write(f"{refusal}\n")
        code = 1
    sys.stdout.flush()
    os._exit(code)  # the SDK's own threads crash some of the ordinary exits (sdk-python issue 300)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.throughput", description="Measure how fast a mass mail goes out.")
    parser.add_argument("--mails", type=int, default=20_000, help="recipients")
    parser.add_argument("--database", default="sqlite", help="sqlite, postgresql, or the URL of an empty database")
    parser.add_argument(
        "--sink", type=_address, metavar="HOST:PORT", help="a mail server that keeps nothing; else one is started"
    )
    parser.add_argument("--workers", type=int, default=2, help="worker processes")
    parser.add_argument("--slice-size", type=int, help="recipients for each send activity")
    parser.add_argument("--connections", type=int, default=50, help="of each worker to the mail server")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError("write it as host:port, such as 127.0.0.1:2525")
    return host, int(port)


def _table(result: Result) -> Table:
    table = Table("measured", "result")
    table.columns[1].justify = "right"
    for name, value in asdict(result).items():
        table.add_row(name.replace("_", " "), f"{value:,}" if isinstance(value, int | float) else value)
    return table


if __name__ == "__main__":
    main()
