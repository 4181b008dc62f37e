"""Changing an account's limits while mails go out: who may, what is recorded of it, and who hears of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from serienmail.domain.errors import CommandRefused
from serienmail.domain.rights import Role
from serienmail.storage.limits import LimitsInForce
from starter.connection import temporal_answers
from starter.services import Services
from workflows.delivery import DeliveryWorkflow

_GOING_OUT = f"WorkflowType = '{DeliveryWorkflow.__name__}' AND ExecutionStatus = 'Running'"


async def change_limits(
    services: Services, account: str, by: str, changes: Mapping[str, int | None]
) -> LimitsInForce:
    """For all workers, within seconds; None takes a limit away. CommandRefused unless by an administrator."""
    about = f"limits of {account}"
    if services.settings.rights.role(by) is not Role.ADMINISTER:
        known = ", ".join(services.settings.administrators) or "nobody is one; set 'administrators' in the settings"
        refused = f"Only an administrator may change limits ({known}); ask one."
        await services.audit.add("change_limits", by, about, after=changes, refused=refused)
        raise CommandRefused(refused)
    return await services.limits.change(account, changes, by, datetime.now(UTC))


async def tell_who_waits(temporal: Client, account: str) -> None:
    """Let mass mails that wait for a limit of this account look again; EnvironmentFault if Temporal is away."""
    with temporal_answers():
        async for delivery in temporal.list_workflows(_GOING_OUT):
            with _unless_it_ended():
                await temporal.get_workflow_handle(delivery.id).signal(DeliveryWorkflow.look_again, account)


@contextmanager
def _unless_it_ended() -> Iterator[None]:
    try:
        yield
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
