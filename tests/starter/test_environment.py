"""The embedded environment says what is in its way."""

import asyncio
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serienmail.domain.errors import EnvironmentFault
from starter.environment import Ports, embedded, until


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
    parts, ended = {"web": web, "worker": worker}, asyncio.Event()
    worker.kill()
    with pytest.raises(EnvironmentFault, match=r"The worker process ended by itself; see worker\.log"):
        await until(ended, parts)
    ended.set()
    await until(ended, parts)
    web.kill()
    await web.wait()


@pytest.mark.parametrize("purpose", ["temporal", "ui", "web", "inbox"])
async def test_a_port_in_use_is_named_with_what_it_is_for(taken: int, purpose: str, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=rf"(?i)port {taken} for .*in use"):
        async with embedded(tmp_path / "environment", Ports(**{purpose: taken})):
            pass
