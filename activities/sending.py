"""Sending one slice: claim, hand over, record, for as long as rows are due and time is left."""

import asyncio
import logging
import time
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clock import ActivityClock
from activities.heartbeat import beating
from activities.outages import PATIENT_AFTER, Outages
from serienmail.domain.delivery import Answer, Claimed, Outcome, SliceJob, given_back, outcome
from serienmail.domain.errors import ServerUnreachable, TransportFailure
from serienmail.domain.shaping import NotNow

log = logging.getLogger(__name__)

CLAIM_SECONDS = 240
"""A slice claims nothing after this, so that its mails' answers (10 min at most) fit into its 20 minutes."""
PATIENCE = timedelta(minutes=5)
IN_PLACE = timedelta(seconds=5)
"""A shorter wait than this is not worth a timer."""


class Slice(Protocol):
    """A slice's due rows."""

    def __len__(self) -> int:
        """How many rows wait."""

    async def next(self, now: datetime, last: Outcome | None = None) -> Claimed | NotNow | None:
        """Keep the last mail's outcome and claim a row for this caller alone, in one commit; None if there is none.

        NotNow: there are some, but none may go yet.
        """

    async def record(self, outcome: Outcome) -> None:
        """Keep an outcome; returns when it is committed. A row that is given back waits again, behind the others."""


class Ledger(Protocol):
    """The ledger as sending needs it."""

    async def slice(self, job: SliceJob, now: datetime) -> Slice:
        """The slice's due rows, as they are now."""


class Slots(Protocol):
    """An account's connections, given in turn to the mass mails that want one."""

    async def take(self, who: str) -> None:
        """One for this mass mail, once it is its turn."""

    def give_back(self) -> None:
        """It is free for the next."""

    def is_wanted(self, who: str) -> bool:
        """Whether one should be given back, since another mass mail waits for it."""


class Post(Protocol):
    """One stage's mails on one account.

    slots: one is held from claim to outcome, so that nothing is claimed that no connection is free for.
    """

    @property
    def connections(self) -> int:
        """How many there may be at a time, of all processes together."""

    @property
    def slots(self) -> Slots:
        """Of its account, whatever the stage."""

    def in_use(self, mass_mail: str) -> AbstractAsyncContextManager[None]:
        """While a slice of this mass mail uses it."""

    async def deliver(self, claimed: Claimed) -> Answer:
        """Build the mail and hand it over.

        TransportFailure: nothing was handed over. An unanswered hand-over is no failure but Verdict.IN_DOUBT.
        """


class PostOffice(Protocol):
    """Builds and transports mails."""

    async def post(self, template: str, account: str, follow_up: bool) -> Post:
        """For one stage; NotFound for an unknown template or account."""


@dataclass(frozen=True, slots=True)
class SliceResult:
    """handled: mails with an outcome. wait_until, reason: nothing can go before; the server is away, or has enough."""

    handled: int
    wait_until: datetime | None = None
    reason: str = ""


class SendActivities:
    """send_slice."""

    def __init__(self, ledger: Ledger, post_office: PostOffice) -> None:
        self._ledger = ledger
        self._post_office = post_office

    @activity.defn
    async def send_slice(self, job: SliceJob) -> SliceResult:
        """Send what is due of a slice; each mail at most once, whatever happens to this process."""
        post = await self._post_office.post(job.template, job.account, follow_up=job.key.stage > 0)
        return await _Sending(post, job).send(self._ledger)


class _Sending:
    """One attempt at one slice. Mails in hand are finished even if the attempt is cancelled."""

    def __init__(self, post: Post, job: SliceJob) -> None:
        self._post, self._job = post, job
        self._clock = ActivityClock()
        self._draining = False
        self._empty_handed: set[asyncio.Task[Any]] = set()
        self._handled = 0
        self._outages = Outages()
        self._failure: TransportFailure | None = None
        self._waits: NotNow | None = None

    async def send(self, ledger: Ledger) -> SliceResult:
        using = self._post.in_use(self._job.key.mass_mail_id)
        async with beating(lambda: self._handled, lambda: self._outages.met), using:
            rows = await ledger.slice(self._job, self._clock.now())
            lanes = [asyncio.create_task(self._lane(rows)) for _ in range(min(self._post.connections, len(rows)))]
            if lanes:
                await self._finish(lanes)
        return self._result()

    async def _finish(self, lanes: Collection[asyncio.Task[None]]) -> None:
        time_to_end = asyncio.create_task(self._drain_in_time())
        try:
            await asyncio.wait(lanes)
        except asyncio.CancelledError:
            self._drain()
            await asyncio.wait(lanes)  # mails in hand get their outcome first
            raise
        finally:
            time_to_end.cancel()
            ended = (lane for lane in lanes if lane.done() and not lane.cancelled())
            failures = [lane.exception() for lane in ended]  # all looked at, else the log complains
        for failure in failures:
            if failure:
                raise failure

    async def _drain_in_time(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLAIM_SECONDS):
                await activity.wait_for_worker_shutdown()
        self._drain()

    def _drain(self) -> None:
        """Begin no other mail. Lanes that wait for a slot go: another slice may keep theirs for minutes."""
        self._draining = True
        for lane in self._empty_handed:
            lane.cancel()

    async def _lane(self, rows: Slice) -> None:
        """Mails one after the other, with a pause whenever a connection broke or none may go for a moment."""
        while (pause := await self._with_a_slot(rows)) is not None:  # noqa: ASYNC110  # nothing is polled
            await asyncio.sleep(pause)

    async def _with_a_slot(self, rows: Slice) -> float | None:
        """Mails, once it is this mass mail's turn; seconds until the lane wants a slot again, None: never."""
        lane = asyncio.current_task()
        assert lane
        self._empty_handed.add(lane)
        try:
            if self._draining:
                return None
            await self._post.slots.take(self._job.key.mass_mail_id)
        finally:
            self._empty_handed.discard(lane)
        try:
            return await self._mails(rows)
        finally:
            self._post.slots.give_back()

    async def _mails(self, rows: Slice) -> float | None:
        """As many as may go while no other mass mail waits for the slot."""
        last: Outcome | None = None
        while isinstance(claimed := await self._next(rows, last), Claimed):
            began = time.monotonic()
            try:
                last = await self._hand_over(claimed)
            except TransportFailure as failure:
                await rows.record(given_back(claimed, self._clock.now()))
                if self._outages.are_too_many(failure, began):
                    self._failure = failure
                    self._drain()
                return self._outages.pause
            if self._post.slots.is_wanted(self._job.key.mass_mail_id):
                await self._keep(rows, last)
                return 0.0
        return self._wait_for(claimed) if claimed else None

    def _wait_for(self, refused: NotNow) -> float | None:
        """Seconds to wait in place; None: so long that the slice ends, and its workflow waits on a timer."""
        wait = refused.until - self._clock.now()
        if wait <= IN_PLACE:
            return max(wait.total_seconds(), 0.0)
        if refused.of_account:
            self._waits = refused
            self._drain()
        return None

    async def _next(self, rows: Slice, last: Outcome | None) -> Claimed | NotNow | None:
        """Record the last outcome and claim the next row; None if there is none, or the slice is to end."""
        if self._draining:
            if last:
                await self._keep(rows, last)
            return None
        claimed = await rows.next(last.at if last else self._clock.now(), last)  # that was just now
        self._handled += last is not None
        return claimed

    async def _keep(self, rows: Slice, last: Outcome) -> None:
        await rows.record(last)
        self._handled += 1

    async def _hand_over(self, claimed: Claimed) -> Outcome:
        try:
            answer = await self._post.deliver(claimed)
        except TransportFailure:
            raise
        except Exception as error:
            # A fault of ours: nobody knows whether this mail went, and the next ones would fare no better.
            self._drain()
            log.exception("a mail could not be handed over")
            says = "a mail could not be handed over, and is in doubt; the worker's log has the details."
            raise ApplicationError(says, type=type(error).__name__, non_retryable=True) from None
        self._outages.end_with(answer)
        return outcome(claimed, answer, self._clock.now())

    def _result(self) -> SliceResult:
        if self._failure is None:
            waits = self._waits
            return SliceResult(self._handled, waits.until, waits.reason) if waits else SliceResult(self._handled)
        if self._outages.met < PATIENT_AFTER or not isinstance(self._failure, ServerUnreachable):
            activity.heartbeat(self._handled, self._outages.met)
            raise self._failure
        return SliceResult(self._handled, self._clock.now() + PATIENCE, str(self._failure))
