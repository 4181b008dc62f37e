"""Changing an account's limits while mails go out: who may, and what is recorded of it."""

from collections.abc import Mapping
from datetime import UTC, datetime

from serienmail.domain.errors import CommandRefused
from serienmail.domain.rights import Role
from serienmail.storage.limits import LimitsInForce
from starter.services import Services


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
    changed = await services.limits.change(account, changes, by, datetime.now(UTC))
    await services.audit.add("change_limits", by, about, after=changes)
    return changed
