"""The embedded environment says what is in its way."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from serienmail.domain.errors import EnvironmentFault
from starter.environment import Ports, embedded, until
from starter.temporal_server import start_temporal, until_gone


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


async def test_a_part_that_ends_by_itself_ends_the_environment_and_is_named() -> None:
    waits = ("-c", "input()")
    web, worker = [
        await asyncio.create_subprocess_exec(sys.executable, *waits, stdin=asyncio.subprocess.PIPE) for _ in range(2)
    ]
    ended = asyncio.Event()
    worker.kill()
    with pytest.raises(EnvironmentFault, match=r"The worker process ended by itself; see worker\.log"):
        await until(ended, {"web": web.wait(), "worker": worker.wait()})
    ended.set()
    await until(ended, {"web": web.wait(), "worker": worker.wait()})
    web.kill()
    await web.wait()


async def test_a_temporal_that_was_killed_is_noticed_at_once(tmp_path: Path) -> None:
    file = tmp_path / "temporal.db"
    async with await start_temporal(file) as server:
        gone = asyncio.create_task(until_gone(server))
        await server.client.count_workflows()
        assert not gone.done()
        os.kill(_who_was_started_with(file), signal.SIGKILL)
        async with asyncio.timeout(10):
            await gone


def _who_was_started_with(file: Path) -> int:
    """The process whose command line names the file; the SDK keeps it to itself."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # others end while they are looked at
            if os.fsencode(file) in line.read_bytes():
                return int(line.parent.name)
    raise AssertionError("no process was started with it")


@pytest.mark.parametrize("purpose", ["temporal", "ui", "web", "inbox"])
async def test_a_port_in_use_is_named_with_what_it_is_for(taken: int, purpose: str, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=rf"(?i)port {taken} for .*(in use|can't be used)"):
        async with embedded(tmp_path / "environment", Ports(**{purpose: taken})):
            pass
