"""Accounts' limits: those of the settings, and what administrators changed of them since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.audit import AuditRecord
from serienmail.domain.errors import NotFound
from serienmail.domain.sending_limits import SendingLimits
from serienmail.storage.audit import record_commands
from serienmail.storage.database import Database
from serienmail.storage.shaping_tables import account_limits


@dataclass(frozen=True, slots=True)
class LimitsInForce:
    """An account's limits now. changed_by, changed_at: None if they are those of the settings."""

    account: str
    limits: SendingLimits
    changed_by: str | None = None
    changed_at: datetime | None = None


class LimitStore:
    """settings: the limits of each account, until somebody changes them."""

    def __init__(self, database: Database, settings: Mapping[str, SendingLimits]) -> None:
        self._database = database
        self._settings = settings

    async def all(self) -> Sequence[LimitsInForce]:
        """Each account's, by name."""
        async with self._database.read() as connection:
            changed = {row.account: row for row in await connection.execute(select(account_limits))}
        return [self._in_force(account, changed.get(account)) for account in sorted(self._settings)]

    async def of(self, account: str) -> LimitsInForce:
        """One account's; NotFound if there is no such account."""
        self._check(account)
        return next(found for found in await self.all() if found.account == account)

    async def change(self, account: str, changes: Mapping[str, int | None], by: str, now: datetime) -> LimitsInForce:
        """Change some, for all workers, on record; None takes a limit away. InvalidOrder if they make no sense."""
        self._check(account)
        async with self._database.write() as connection:
            one = select(account_limits).where(account_limits.c.account == account).with_for_update()
            changed = (await connection.execute(one)).one_or_none()
            before = self._in_force(account, changed).limits
            together = {**(changed.changes if changed else {}), **changes}
            limits = self._settings[account].with_changes(together)
            await _put(connection, {"account": account, "changes": together, "changed_by": by, "changed_at": now})
            record = AuditRecord(
                at=now,
                by=by,
                act="change_limits",
                about=f"limits of {account}",
                before={name: getattr(before, name) for name in changes},
                after=changes,
            )
            await record_commands(connection, [record])
        return LimitsInForce(account, limits, by, now)

    def _in_force(self, account: str, row: Any) -> LimitsInForce:
        limits = self._settings[account]
        if row is None:
            return LimitsInForce(account, limits)
        return LimitsInForce(account, limits.with_changes(row.changes), row.changed_by, row.changed_at)

    def _check(self, account: str) -> None:
        if account not in self._settings:
            known = ", ".join(sorted(self._settings)) or "none is configured"
            raise NotFound(f"There is no sending account '{account}'; choose one of: {known}.")


async def _put(connection: AsyncConnection, row: Mapping[str, Any]) -> None:
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = dialect.insert(account_limits).values(row)
    await connection.execute(new.on_conflict_do_update(index_elements=["account"], set_=dict(row)))
