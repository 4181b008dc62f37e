"""The connection to Temporal, from its own environment variables and profiles."""


from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError

from serienmail.domain.errors import EnvironmentFault


async def connect_to_temporal(runtime: Runtime | None = None) -> Client:
    """A client as TEMPORAL_ADDRESS, TEMPORAL_PROFILE and the like say; EnvironmentFault if nobody answers."""
    config = ClientConfig.load_client_connect_config()
    target = config.get("target_host") or "localhost:7233"
    config["target_host"] = target
    try:
        return await Client.connect(**config, data_converter=pydantic_data_converter, runtime=runtime)
    except (RPCError, RuntimeError, OSError):
        raise EnvironmentFault(
            f"Temporal can't be reached at {target}; start it ('serienmail dev' has one), or set TEMPORAL_ADDRESS."
        ) from None


@contextmanager
def temporal_answers() -> Iterator[None]:
    """EnvironmentFault, one sentence, for whatever Temporal refuses or leaves unanswered in the block."""
    try:
        yield
    except RPCError as error:
        why = error.status.name.lower()
        raise EnvironmentFault(f"Temporal didn't do it ({why}); see that it runs and has the namespace.") from None
