"""Commands that need no workflow: who may give them, and what stays on record of each."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from serienmail.domain.errors import CommandRefused
from serienmail.domain.rights import Role
from starter.services import Services


@dataclass(slots=True)
class Noted:
    """What a command changed, by name: ids and numbers, never an address."""

    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)


@asynccontextmanager
async def on_record(
    services: Services, act: str, by: str, about: str, needed: Role = Role.SEND
) -> AsyncIterator[Noted]:
    """Carry a command out, and record what it notes as changed, also if it fails after that.

    CommandRefused, on record, unless the user's role is enough.
    """
    await require(services, act, by, about, needed)
    noted = Noted()
    try:
        yield noted
    finally:
        if noted.after:
            await services.audit.add(act, by, about, before=noted.before, after=noted.after)


async def require(services: Services, act: str, by: str, about: str, needed: Role) -> None:
    """CommandRefused, on record, unless the user has this role."""
    if refused := services.settings.rights.lacks(by, needed):
        await services.audit.add(act, by, about, refused=refused)
        raise CommandRefused(refused)
