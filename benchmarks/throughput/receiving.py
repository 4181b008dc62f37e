"""Where the benchmark's mails go: Debian's smtp-sink if there is one, else an own sink, or a server elsewhere."""

import asyncio
import json
import os
import re
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from serienmail.domain.errors import EnvironmentFault

_READY_WITHIN = 10.0


@dataclass(frozen=True, slots=True)
class Received:
    """What a sink has counted. distinct: different mails among them, by recipient and Message-ID."""

    messages: int
    distinct: int


class Sink(Protocol):
    """A mail server that keeps nothing."""

    name: str
    host: str
    port: int

    async def received(self) -> Received | None:
        """What came since the last time; None if it doesn't tell."""


@asynccontextmanager
async def a_sink(address: tuple[str, int] | None, folder: Path) -> AsyncIterator[Sink]:
    """address: host and port of one that runs already. SMTP_SINK names Debian's executable, if it isn't on PATH."""
    executable = os.environ.get("SMTP_SINK") or shutil.which("smtp-sink")
    if address:
        yield _Elsewhere(*address)
    elif executable:
        async with _smtp_sink(executable, folder / "smtp-sink.log") as sink:
            yield sink
    else:
        async with _own_sink() as sink:
            yield sink


class _Elsewhere:
    name = "elsewhere"

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port

    async def received(self) -> None:
        """It doesn't tell."""


class _OwnSink:
    name, host = "own", "127.0.0.1"

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.port = port
        self._process = process

    async def received(self) -> Received:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(b"\n")
        return Received(**json.loads(await self._process.stdout.readline()))


@asynccontextmanager
async def _own_sink() -> AsyncIterator[_OwnSink]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.throughput.sink", stdin=pipe, stdout=pipe
    )
    assert process.stdin and process.stdout
    try:
        yield _OwnSink(process, int(await process.stdout.readline()))
    finally:
        process.stdin.close()
        await process.wait()


class _SmtpSink:
    """Counts messages only, so that each is taken for a different one; it writes its counters after each mail."""

    name, host = "smtp-sink", "127.0.0.1"

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self._log = log
        self._taken = 0

    async def received(self) -> Received:
        counted = int((re.findall(r"mesg=(\d+)", self._log.read_text()) or ["0"])[-1])
        since, self._taken = counted - self._taken, counted
        return Received(since, since)


@asynccontextmanager
async def _smtp_sink(executable: str, log: Path) -> AsyncIterator[_SmtpSink]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    user = ["-u", "nobody"] if os.geteuid() == 0 else []  # it refuses to run as root
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            executable, *user, "-c", f"127.0.0.1:{port}", "1000", stdout=output, stderr=output
        )
    try:
        await _until_it_listens(port)
        yield _SmtpSink(port, log)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _until_it_listens(port: int) -> None:
    for _ in range(int(_READY_WITHIN / 0.1)):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise EnvironmentFault("smtp-sink doesn't start; start it by hand and give its address with --sink.")
