"""python -m benchmarks.throughput --mails 20000 [--json] [--peers] [--database postgresql] [--series growth]"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvloop
from rich.console import Console

from benchmarks.throughput.product import Options
from benchmarks.throughput.run import Run, Wanted, run
from benchmarks.throughput.series import SERIES, variants
from benchmarks.throughput.tables import of_run, of_series
from serienmail.domain.errors import SerienmailError


def main() -> None:
    """Measure, and print what was measured; exit code 1 if a mail was lost or sent twice."""
    code = 0
    chosen = _parser().parse_args()
    try:
        runs = [_measured(wanted) for wanted in variants(chosen.series, _wanted(chosen))]
        _print(runs, chosen.series, as_json=chosen.json)
        code = 1 if any(run.result.duplicates or run.result.lost for run in runs) else 0
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
    parser.add_argument("--peers", action="store_true", help="mailmerge and django-post_office, too (from PyPI)")
    parser.add_argument("--series", choices=SERIES, help="several runs, which differ in this alone, in one table")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table; a list for a series")
    return parser


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError("write it as host:port, such as 127.0.0.1:2525")
    return host, int(port)


def _wanted(chosen: argparse.Namespace) -> Wanted:
    options = Options(
        mails=chosen.mails, workers=chosen.workers, connections=chosen.connections, slice_size=chosen.slice_size
    )
    return Wanted(options=options, database=chosen.database, sink=chosen.sink, peers=chosen.peers)


def _measured(wanted: Wanted) -> Run:
    with tempfile.TemporaryDirectory(prefix="serienmail-throughput") as folder:
        return uvloop.run(run(wanted, Path(folder)))


def _print(runs: Sequence[Run], series: str | None, *, as_json: bool) -> None:
    documents = [run.result.as_document() for run in runs]
    if as_json:
        print(json.dumps(documents if series else documents[0]))
    else:
        Console().print(of_series(series, runs) if series else of_run(runs[0]))


if __name__ == "__main__":
    main()
