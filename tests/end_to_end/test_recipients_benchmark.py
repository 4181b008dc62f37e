"""`python -m benchmarks.recipients`: what it prints, whatever the machine's speed."""

import asyncio
import json
import sys

MEASURED = {
    "contacts", "select_seconds", "checks_seconds", "checked", "import_rows", "import_seconds",
    "import_rows_per_second", "rss_mb", "database",
}  # fmt: skip


async def test_a_tiny_run_selects_checks_and_imports_everybody() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.recipients", "--contacts", "200", "--rows", "20", "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    result = json.loads(output)
    assert set(result) == MEASURED
    counted = (result["contacts"], result["checked"], result["import_rows"])
    assert counted == (200, 192, 20)  # eight have too little revenue
    assert result["database"] == "sqlite"
