"""python -m benchmarks.chaos --mails 2000 --kills 6 --seed 1 [--database postgresql] [--storm 9] [--zombies 1]"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.chaos.run import Options, Result, run


def main() -> None:
    """Exit code 0 if nobody got two mails, nobody was lost, and every row is true."""
    parser = argparse.ArgumentParser(prog="benchmarks.chaos", description="Send one mass mail while everything breaks.")
    parser.add_argument("--mails", type=int, default=2_000, help="recipients")
    parser.add_argument("--kills", type=int, default=6, help="SIGKILLs for workers")
    parser.add_argument("--seed", type=int, default=1, help="of what goes wrong, and when")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--storm", type=int, default=0, help="stops and restarts")
    parser.add_argument("--zombies", type=int, default=0, help="workers that stand still until others went on")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    chosen = vars(parser.parse_args())
    as_json = chosen.pop("json")
    result = _run(Options(**chosen), Path(tempfile.mkdtemp(prefix="serienmail-chaos")))
    lines = [f"{name:18} {value}" for name, value in asdict(result).items()]
    print(json.dumps(asdict(result)) if as_json else "\n".join(lines))
    sys.stdout.flush()
    os._exit(0 if result.ok else 1)  # the SDK's own threads crash some of the ordinary exits (sdk-python issue 300)


def _run(options: Options, folder: Path) -> Result:
    """The folder is gone afterwards, unless somebody will want to know why it failed."""
    kept = True
    try:
        result = asyncio.run(run(options, folder))
        kept = not result.ok
    finally:
        if kept:
            sys.stderr.write(f"Logs, databases and state.txt, where everything stood, are kept in {folder}\n")
        else:
            shutil.rmtree(folder)
    return result


if __name__ == "__main__":
    main()
