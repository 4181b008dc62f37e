"""The ledger of deliveries: who may hand over which mail, and what became of it.

Never twice: a row is claimed, in a committed transaction, before its mail is begun; only rows that are pending or
deferred can be claimed, by the stage's newest epoch alone, while the stage is open.
Never lost: a stage is over only when no row is pending, deferred or being handed over.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import and_, select, update

from serienmail.domain.commands import Resolution
from serienmail.domain.delivery import Counts, Outcome, Plan, SliceJob, StageKey
from serienmail.domain.doubt import Doubt, Finding
from serienmail.domain.errors import CommandRefused
from serienmail.domain.mass_mail import Audience
from serienmail.domain.states import OPEN_STATES, DeliveryState
from serienmail.storage.audience import has_replied, in_audience_of
from serienmail.storage.counting import count_stage
from serienmail.storage.database import Database
from serienmail.storage.doubt import resolve
from serienmail.storage.planning import is_held, plan_stage
from serienmail.storage.relay_findings import doubts_of, settle_doubts
from serienmail.storage.reopening import reopen_stage
from serienmail.storage.rows import ended_as, is_due, rows_of, stage_row
from serienmail.storage.shaping import Shaping
from serienmail.storage.slices import MessageId, Slice
from serienmail.storage.tables import delivery, stage
from serienmail.storage.turns import Turns
from serienmail.storage.wanted import claimable


class Ledger:
    """The ledger's protocol, one method for each step."""

    def __init__(
        self, database: Database, message_id: MessageId, shaping: Shaping, most_recipients: int | None = None
    ) -> None:
        """most_recipients: that are sent again at once, if there is a limit."""
        self._database = database
        self._limit = most_recipients
        self._shaping = shaping
        self._turns = Turns(database, shaping)
        self._message_id = message_id

    async def open_stage(self, key: StageKey, epoch: int, *, at_once: bool = False) -> None:
        """Let this epoch send, and no older one. CommandRefused if a newer one has been opened.

        at_once: nobody waits for the own local time any more.
        """
        async with self._database.write() as connection:
            older = and_(stage_row(key), stage.c.epoch < epoch)
            await connection.execute(update(stage).where(older).values(epoch=epoch, open=True))
            if (await connection.execute(select(stage.c.epoch).where(stage_row(key)))).scalar_one() != epoch:
                raise CommandRefused("This stage has been started again since; the newer start goes on with it.")
            if at_once:
                waiting = and_(rows_of(key), delivery.c.state == DeliveryState.PENDING)
                await connection.execute(update(delivery).where(waiting).values(next_try_at=None))

    async def close_stage(self, key: StageKey, epoch: int) -> None:
        """Nothing is claimed from here on. Waits for claims that are being committed."""
        async with self._database.write() as connection:
            mine = and_(stage_row(key), stage.c.epoch == epoch)
            await connection.execute(update(stage).where(mine).values(open=False))

    async def close_all(self, mass_mail_id: str) -> None:
        """Nothing of any stage is claimed before it is opened again: whoever sent for it is lost, or will be."""
        async with self._database.write() as connection:
            await connection.execute(update(stage).where(stage.c.mass_mail_id == mass_mail_id).values(open=False))

    async def plan(
        self,
        key: StageKey,
        slice_size: int | None,
        now: datetime,
        traced: bool = False,
        account: str = "",
        *,
        resend: bool = False,
        out: int = 0,
    ) -> Plan:
        """Settle rows that were handed over too long ago, then say what is due.

        slice_size: rows a slice; None: 1 up to 500 recipients, so that each is an activity of its own, else 250 to 500.
        traced: the relay's log may decide what is in doubt, so that it is worth waiting for.
        account: which sends; what its providers don't take now isn't due.
        resend: mails in doubt are due once more.
        out: what an earlier plan said (Plan.out); LedgerWentBack if it is less now, and nothing is written.
        """
        async with self._database.write() as connection:
            holds = await self._shaping.holds(connection, account, key, now)
            return await plan_stage(connection, key, slice_size, now, traced, holds, resend=resend, out=out)

    async def doubts(self, key: StageKey, now: datetime) -> tuple[Doubt, ...]:
        """Rows whose claim can lead to nothing any more, and whose outcome nobody knows."""
        async with self._database.read() as connection:
            return await doubts_of(connection, key, now)

    async def settle(self, doubts: Sequence[Doubt], findings: Mapping[str, Finding], now: datetime) -> None:
        """Write what the findings, by Message-ID, prove about these rows."""
        async with self._database.write() as connection:
            await settle_doubts(connection, doubts, findings, now)

    async def resolve(self, key: StageKey, resolution: Resolution, recipients: Sequence[int], now: datetime) -> int:
        """Settle these recipients (seq; none: all in doubt) as somebody said; how many.

        0, and nothing is written, if one of them isn't in doubt. The same again changes nothing.
        """
        async with self._database.write() as connection:
            return await resolve(connection, key, resolution, recipients, now)

    async def slice(self, job: SliceJob, now: datetime) -> Slice:
        """The slice's due rows, for lanes to claim one after the other."""
        async with self._database.read() as connection:
            holds = await self._shaping.holds(connection, job.account, job.key, now)
            rows = await connection.execute(claimable(job).where(is_due(now), ~is_held(holds)))
        return Slice(self._turns, self._message_id, job, rows, self._shaping.providers.of)

    async def record(self, outcome: Outcome) -> None:
        """Keep an outcome; returns when it is committed, however long the database is away."""
        await self._turns.record(outcome)

    async def counts(self, key: StageKey) -> Counts:
        """The stage in numbers, now."""
        async with self._database.read() as connection:
            return await count_stage(connection, key)

    async def cancel(self, key: StageKey) -> int:
        """Cancel what is still due, for a deleted mass mail; how many. Who was ever in doubt is in doubt again.

        What a worker that died had in hand is in doubt now: no plan will settle it any more.
        """
        in_hand = and_(rows_of(key), delivery.c.state == DeliveryState.HANDING_OVER)
        due = and_(rows_of(key), delivery.c.state.in_(OPEN_STATES))
        async with self._database.write() as connection:
            doubt = update(delivery).where(in_hand).values(state=DeliveryState.UNKNOWN, doubted=True)
            await connection.execute(doubt)
            cancelled = update(delivery).where(due).values(state=ended_as(DeliveryState.CANCELLED))
            return (await connection.execute(cancelled)).rowcount

    async def reopen(
        self,
        key: StageKey,
        opted_in_only: bool,
        *,
        audience: Audience | None = None,
        of: int = 0,
        without_replied: bool = False,
    ) -> int:
        """Make those due again who were excluded, failed or rejected and may be mailed now (send again); how many.

        Those over the limit as well, as many as it allows.
        audience, of, without_replied: of a follow-up, which must still hold, as in Load.
        """
        still = [in_audience_of(StageKey(key.mass_mail_id, of), audience)] if audience else []
        still += [~has_replied(key.mass_mail_id)] if without_replied else []
        async with self._database.write() as connection:
            return await reopen_stage(connection, key, opted_in_only, still, self._limit)
