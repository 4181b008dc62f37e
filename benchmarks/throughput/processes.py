"""Worker processes, and what Linux counts for them."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")  # seconds
Processes = Sequence[asyncio.subprocess.Process]


@asynccontextmanager
async def workers(count: int, log: Path, variables: Mapping[str, str]) -> AsyncIterator[Processes]:
    """So many workers of the product; told to end, and waited for."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SERIENMAIL_", "TEMPORAL_"))}
    with log.open("ab") as output:
        started = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "worker", stdout=output, stderr=output, env={**kept, **variables}
            )
            for _ in range(count)
        ]
    try:
        yield started
    finally:
        for process in started:
            if process.returncode is None:
                process.terminate()
        await asyncio.gather(*(process.wait() for process in started))


def cpu_seconds(processes: Processes) -> float:
    """Of all of them since they began, in the kernel and outside (proc(5), stat: 14 and 15)."""
    return sum(_cpu_seconds(process.pid) for process in processes)


def _cpu_seconds(pid: int) -> float:
    after_the_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_the_name[11]) + int(after_the_name[12])) * _TICK


def largest_mb(processes: Processes) -> float:
    """The most memory that one of them ever had, in MB of 10⁶ bytes (proc(5), status: VmHWM)."""
    return max(_peak_kib(process.pid) for process in processes) * 1024 / 1e6


def _peak_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
