"""python -m tests.mutants: build each fault into a copy of the code, and see its test fail.

Exit code 1 if one doesn't notice its fault. Two to fifteen minutes, as the machine is busy.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.mutants.catalogue import MUTANTS, ROOT, Mutant

_NOT_THE_CODE = shutil.ignore_patterns(".*", "__pycache__", "docs", "build", "*.egg-info")
_PASSED, _FAILED = 0, 1  # pytest's exit codes; any other means that it couldn't try


def main() -> None:
    """A line for each fault; the tests must pass without any."""
    with tempfile.TemporaryDirectory(prefix="serienmail-mutants") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=_NOT_THE_CODE)
        code, said = _pytest(copy, sorted({mutant.test for mutant in MUTANTS}), "sqlite or postgresql")
        if code != _PASSED:
            sys.exit(f"The tests must pass before anything is taken out; mend them first.\n{said}")
        survivors = [mutant for mutant in MUTANTS if not _is_noticed(copy, mutant)]
    sys.exit(f"{len(survivors)} of {len(MUTANTS)} weren't noticed." if survivors else 0)


def _is_noticed(copy: Path, mutant: Mutant) -> bool:
    file = copy / mutant.file
    before = file.read_text("utf-8")
    file.write_text(mutant.applied_to(copy), "utf-8")
    try:
        code, said = _pytest(copy, [mutant.test], mutant.on)
    finally:
        file.write_text(before, "utf-8")
    why = next((line[1:].strip() for line in said.splitlines() if line.startswith("E ")), "")
    print(f"{'noticed' if code == _FAILED else 'NOT NOTICED'}  {mutant.rule}: {mutant.without}\n    {why}", flush=True)
    return code == _FAILED


def _pytest(copy: Path, tests: Iterable[str], on: str) -> tuple[int, str]:
    """On one database: nearly all rules are the same statements on both."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-k", on, *tests]
    variables = os.environ | {"LEDGER_UNSHRUNK": "1"}
    ran = subprocess.run(command, cwd=copy, env=variables, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout


if __name__ == "__main__":
    main()
