"""`python -m benchmarks.afterwards`: a campaign of 200 whose every number is known beforehand."""

import asyncio
import json
import sys


async def test_statistics_and_audiences_are_exactly_those_of_the_script() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.afterwards", "--recipients", "200", "--seed", "1", "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, output.decode() + errors.decode()
    result = json.loads(output)
    assert [each for each in result["compared"] if each["expected"] != each["got"]] == []
    assert result["agree"]
    assert result["events_lost"] == 0
    assert result["events"] > 50
