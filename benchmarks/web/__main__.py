"""python -m benchmarks.web --events 100000 [--per-second 1000 --away 60] [--json]; exit code 1 if something is lost."""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import uvloop

from benchmarks.web.run import Options, run


def main() -> None:
    """Ask, and print what was measured."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.web", description="Opens, clicks and opt-outs at one web process."
    )
    parser.add_argument("--events", type=int, default=20_000, help="opens and clicks (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=50, help="of those who ask (default: %(default)s)")
    parser.add_argument("--per-second", type=int, default=0, help="how often they ask (default: as they are answered)")
    parser.add_argument("--away", type=float, default=0, help="seconds for which PostgreSQL is dead meanwhile")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    chosen = parser.parse_args()
    options = Options(chosen.events, chosen.connections, chosen.per_second, chosen.away)
    with tempfile.TemporaryDirectory(prefix="serienmail-web") as folder:
        result = uvloop.run(run(options, Path(folder)))
    if chosen.json:
        print(json.dumps(asdict(result)))
    else:
        for name, value in asdict(result).items():
            print(f"{name.replace('_', ' '):<20}{value!s:>12}")
    sys.exit(1 if result.lost or result.unanswered else 0)


if __name__ == "__main__":
    main()
