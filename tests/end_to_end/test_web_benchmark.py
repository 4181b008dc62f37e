"""`python -m benchmarks.web`: every request is answered and kept, though PostgreSQL dies meanwhile."""

import asyncio
import json
import sys


async def test_what_is_asked_while_postgresql_is_dead_is_answered_and_stored_afterwards() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.web", "--events", "1000", "--connections", "5", "--json"),
        *("--per-second", "200", "--away", "2"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    result = json.loads(output)
    assert (result["asked"], result["unanswered"]) == (1_010, {})
    assert (result["stored"], result["opted_out"], result["lost"]) == (1_000, 10, 0)
    assert result["seconds"] > 3  # so that the death lay within
