"""Shaping inside the ledger's transactions: which of the wanted mails may go now, by what all workers sent lately.

An account without limits and a provider without trouble have no row that is read or written here.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.delivery import Outcome, Pause, StageKey
from serienmail.domain.division import Part, Share
from serienmail.domain.provider import Providers
from serienmail.domain.sending_limits import SendingLimits
from serienmail.domain.shaping import (
    Gate,
    Kind,
    Scope,
    Shape,
    Wish,
    account_scope,
    provider_scope,
    stage_scope,
    why_it_rests,
)
from serienmail.storage.database import Database
from serienmail.storage.limits import LimitStore
from serienmail.storage.presence import Presence
from serienmail.storage.shapes import ensure_rows, lock_documents, write_document
from serienmail.storage.shaping_tables import shape

KNOWN_FOR = 3.0
"""Seconds until limits and troubles are read again: so late a worker hears of what others changed."""
_SHAPE = TypeAdapter(Shape)


@dataclass(frozen=True, slots=True)
class Hold:
    """Recipients of these domains get nothing before a time. why: for operators."""

    domains: Collection[str]
    until: datetime
    why: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What this process read last. metered: accounts whose mails are counted. troubles: what each scope with a back-off
    gets of its limits.
    """

    limits: Mapping[str, SendingLimits] = field(default_factory=dict)
    metered: Collection[str] = ()
    troubles: Mapping[Scope, float] = field(default_factory=dict)
    until: float = 0.0


class Shaping:
    """One for each process. accounts: their limits by the settings."""

    def __init__(self, database: Database, accounts: Mapping[str, SendingLimits], providers: Providers) -> None:
        self.providers = providers
        self.limits = LimitStore(database, accounts)
        self._database = database
        self._presence = Presence(database)
        self._metered = frozenset(name for name, limits in providers.limits.items() if limits.meters)
        self._parts: dict[str, Part] = {}
        self._known = _Known()
        self._ensured: set[Scope] = set()

    async def renew(self, account: str, mass_mails: Collection[str]) -> Share:
        """This process uses the account for these; it says so every few seconds while it does."""
        await self._refresh()
        limits = self._limits(account_scope(account))
        part = self._parts[account] = await self._presence.renew(account, mass_mails)
        return Share(limits, part.share(limits.connections or 1), part.weights)

    def provider_connections(self, account: str, provider: str) -> int | None:
        """How many mails this process may have in hand at once for a provider; None: as many as it has connections.

        A provider that wants less gets one from each process that its settings allow one: who may send it none could
        never find out that it is well again.
        """
        if not self._known.troubles and provider not in self.providers.limits:
            return None
        part, share = self._parts.get(account, Part()), self._known.troubles.get(provider_scope(account, provider))
        limit = self.providers.limits.get(provider, SendingLimits()).connections
        most = None if limit is None else part.share(limit)
        if share is None:
            return most
        whole = limit or self._limits(account_scope(account)).connections or 1
        fewer = max(1, part.share(int(whole * share)))
        return fewer if most is None else min(fewer, most)

    async def prepare(self, outcomes: Iterable[Outcome], wishes: Iterable[Wish]) -> set[Scope]:
        """The scopes that the next transaction must lock; usually none."""
        await self._refresh()
        scopes: set[Scope] = set()
        for outcome in outcomes:
            if self._known.troubles or outcome.pause is not Pause.NONE:
                scopes.update(self._scopes_of_outcome(outcome))
        for wish in wishes:
            if self._known.troubles or wish.account in self._known.metered or wish.provider in self._metered:
                scopes.update(self._scopes_of_wish(wish))
        if new := scopes - self._ensured:
            await ensure_rows(self._database, new)
            self._ensured |= new
        return scopes

    async def open(self, connection: AsyncConnection, scopes: Collection[Scope]) -> Gate:
        """A gate with the shapes of these scopes, which nobody else changes until this transaction ends."""
        documents = await lock_documents(connection, scopes) if scopes else {}
        return Gate({scope: _SHAPE.validate_python(document) for scope, document in documents.items()}, self._limits)

    async def keep(self, connection: AsyncConnection, gate: Gate) -> None:
        """Write what changed."""
        for scope, found in gate.changed():
            document = _SHAPE.dump_python(found, mode="json")
            await write_document(connection, scope, document, found.back_off is not None)
        self._remember_troubles(gate.shapes)

    async def holds(self, connection: AsyncConnection, account: str, key: StageKey, now: datetime) -> Sequence[Hold]:
        """What rests for this stage; read, not locked."""
        mine = or_(
            (shape.c.kind == Kind.PROVIDER) & (shape.c.owner == account),
            (shape.c.kind == Kind.STAGE) & (shape.c.owner == stage_scope(key, "").owner),
        )
        rows = await connection.execute(select(shape).where(mine, shape.c.troubled).order_by(shape.c.provider))
        holds = []
        for row in rows.all():
            trouble = _SHAPE.validate_python(row.document).back_off
            if trouble and trouble.rests(now):
                why = why_it_rests(Scope(row.kind, row.owner, row.provider), trouble)
                holds.append(Hold(self.providers.domains(row.provider), trouble.until, why))
        return holds

    async def _refresh(self) -> None:
        now = time.monotonic()
        if now < self._known.until:
            return
        limits = {found.account: found.limits for found in await self.limits.all()}
        async with self._database.read() as connection:
            rows = (await connection.execute(select(shape).where(shape.c.troubled))).all()
        found = {Scope(row.kind, row.owner, row.provider): _SHAPE.validate_python(row.document) for row in rows}
        troubles = {scope: each.back_off.share for scope, each in found.items() if each.back_off}
        metered = frozenset(account for account, each in limits.items() if each.meters)
        self._known = _Known(limits, metered, troubles, now + KNOWN_FOR)

    def _remember_troubles(self, shapes: Mapping[Scope, Shape]) -> None:
        """At once what this process learns itself."""
        if not shapes:
            return
        others = {scope: share for scope, share in self._known.troubles.items() if scope not in shapes}
        here = {scope: found.back_off.share for scope, found in shapes.items() if found.back_off}
        self._known = replace(self._known, troubles={**others, **here})

    def _scopes_of_outcome(self, outcome: Outcome) -> Iterable[Scope]:
        provider = provider_scope(outcome.account, outcome.provider)
        stage = stage_scope(outcome.key, outcome.provider)
        if outcome.pause is Pause.PROVIDER:
            yield provider
        if outcome.pause is Pause.STAGE_FOR_PROVIDER:
            yield stage
        yield from (scope for scope in (provider, stage) if scope in self._known.troubles)

    def _scopes_of_wish(self, wish: Wish) -> Iterable[Scope]:
        account, provider = account_scope(wish.account), provider_scope(wish.account, wish.provider)
        yield from (scope for scope in (account, provider) if self._limits(scope).meters)
        yield from (
            scope for scope in (provider, stage_scope(wish.key, wish.provider)) if scope in self._known.troubles
        )

    def _limits(self, scope: Scope) -> SendingLimits:
        if scope.kind == Kind.ACCOUNT:
            return self._known.limits.get(scope.owner, SendingLimits())
        return self.providers.limits.get(scope.provider, SendingLimits())
