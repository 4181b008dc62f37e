"""`python -m benchmarks.throughput` and its neighbours: what they print, whatever the machine's speed."""

import asyncio
import json
import os
import sys

MEASURED = {
    "mails",
    "seconds",
    "mails_per_second",
    "cpu_us_per_mail",
    "rss_mb",
    "baseline_mails_per_second",
    "ratio_to_baseline",
    "limit_mails_per_second",
    "ratio_to_limit",
    "duplicates",
    "lost",
}


async def test_a_tiny_run_counts_every_mail_once() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.throughput", "--mails", "12", "--workers", "1", "--connections", "3"),
        "--json",
        env={name: value for name, value in os.environ.items() if name != "SMTP_SINK"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    result = json.loads(output)
    assert set(result) == MEASURED
    assert (result["mails"], result["duplicates"], result["lost"]) == (12, 0, 0)
    assert all(result[name] > 0 for name in MEASURED if name.endswith(("second", "seconds", "mb")))


async def test_the_steps_before_sending_are_measured_each() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.loading", "--people", "20", "--database", "sqlite", "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    result = json.loads(output)
    assert result["people"] == 20
    assert all(value >= 0 for name, value in result.items() if name.endswith("seconds"))
