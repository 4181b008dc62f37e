"""Sending one slice: claim, hand over, record, for as long as rows are due and time is left."""

import asyncio
import logging
import time
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clock import ActivityClock
from activities.heartbeat import beating
from serienmail.domain.delivery import Answer, Claimed, Outcome, SliceJob, Verdict, given_back, outcome
from serienmail.domain.errors import AccountRefused, ServerUnreachable, TransportFailure

log = logging.getLogger(__name__)

CLAIM_SECONDS = 240
"""A slice claims nothing after this, so that its mails' answers (10 min at most) fit into its 20 minutes."""
PATIENT_AFTER = 3
"""From this failed attempt on a slice returns and says why it waits, instead of failing once more."""
PATIENCE = timedelta(minutes=5)
FAILURES_IN_A_ROW = 3
"""So many connections that broke, one after the other without an answer between, and the server counts as away."""
FIRST_PAUSE = 0.1
"""Seconds; doubled before it is used, and again with each further failure in a row."""


class Slice(Protocol):
    """A slice's due rows."""

    def __len__(self) -> int:
        """How many rows wait."""

    async def next(self, now: datetime, last: Outcome | None = None) -> Claimed | None:
        """Keep the last mail's outcome and claim a row for this caller alone, in one commit; None if there is none."""

    async def record(self, outcome: Outcome) -> None:
        """Keep an outcome; returns when it is committed. A row that is given back waits again, behind the others."""


class Ledger(Protocol):
    """The ledger as sending needs it."""

    async def slice(self, job: SliceJob, now: datetime) -> Slice:
        """The slice's due rows, as they are now."""


class Post(Protocol):
    """One stage's mails on one account.

    slots: held from claim to outcome, so that nothing is claimed that no connection is free for.
    """

    connections: int
    slots: AbstractAsyncContextManager[Any]

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
    """handled: mails with an outcome. wait_until, reason: the server is away; nothing can go before."""

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
        return await _Sending(post).send(self._ledger, job)


class _Sending:
    """One attempt at one slice. Mails in hand are finished even if the attempt is cancelled."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._clock = ActivityClock()
        self._claims_until = time.monotonic() + CLAIM_SECONDS
        self._draining = False
        self._empty_handed: set[asyncio.Task[Any]] = set()
        self._handled = 0
        self._failures = Failures()
        self._failure: TransportFailure | None = None

    async def send(self, ledger: Ledger, job: SliceJob) -> SliceResult:
        async with beating(lambda: self._handled):
            rows = await ledger.slice(job, self._clock.now())
            lanes = [asyncio.create_task(self._lane(rows)) for _ in range(min(self._post.connections, len(rows)))]
            if lanes:
                await self._finish(lanes)
        return self._result()

    async def _finish(self, lanes: Collection[asyncio.Task[None]]) -> None:
        shutdown = asyncio.create_task(self._drain_at_shutdown())
        try:
            await asyncio.wait(lanes)
        except asyncio.CancelledError:
            self._drain()
            await asyncio.wait(lanes)  # mails in hand get their outcome first
            raise
        finally:
            shutdown.cancel()
            ended = (lane for lane in lanes if lane.done() and not lane.cancelled())
            failures = [lane.exception() for lane in ended]  # all looked at, else the log complains
        for failure in failures:
            if failure:
                raise failure

    async def _drain_at_shutdown(self) -> None:
        await activity.wait_for_worker_shutdown()
        self._drain()

    def _drain(self) -> None:
        """Begin no other mail. Lanes that wait for a slot go: another slice may keep theirs for minutes."""
        self._draining = True
        for lane in self._empty_handed:
            lane.cancel()

    async def _lane(self, rows: Slice) -> None:
        """Mails one after the other. If a connection breaks, there is a pause before the next one is opened."""
        while not self._draining and await self._with_a_slot(rows):  # noqa: ASYNC110  # the pause is the point, nothing is polled
            await asyncio.sleep(self._failures.pause)

    async def _with_a_slot(self, rows: Slice) -> bool:
        lane = asyncio.current_task()
        assert lane
        self._empty_handed.add(lane)
        try:
            async with self._post.slots:
                self._empty_handed.discard(lane)
                return await self._mails(rows)
        finally:
            self._empty_handed.discard(lane)

    async def _mails(self, rows: Slice) -> bool:
        """As many as there are; True if a connection broke before that, and the lane may go on."""
        last: Outcome | None = None
        while claimed := await self._next(rows, last):
            began = time.monotonic()
            try:
                last = await self._hand_over(claimed)
            except TransportFailure as failure:
                await rows.record(given_back(claimed, self._clock.now()))
                if self._failures.are_too_many(failure, began):
                    self._failure = failure
                    self._drain()
                return not self._draining
        return False

    async def _next(self, rows: Slice, last: Outcome | None) -> Claimed | None:
        """Record the last outcome and claim the next row; None if there is none, or no more time for it."""
        if not self._draining and time.monotonic() <= self._claims_until:
            claimed = await rows.next(self._clock.now(), last)
        else:
            claimed = None
            if last:
                await rows.record(last)
        self._handled += last is not None
        return claimed

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
        self._failures.end_with(answer)
        return outcome(claimed, answer, self._clock.now())

    def _result(self) -> SliceResult:
        if self._failure is None:
            return SliceResult(self._handled)
        if activity.info().attempt < PATIENT_AFTER or not isinstance(self._failure, ServerUnreachable):
            raise self._failure
        return SliceResult(self._handled, self._clock.now() + PATIENCE, str(self._failure))


class Failures:
    """What a slice makes of connections that break: one is replaced, a server that is away is left alone."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._last_at = 0.0

    @property
    def pause(self) -> float:
        """Seconds until a lane whose connection broke opens another."""
        return FIRST_PAUSE * float(2**self._in_a_row)

    def are_too_many(self, failure: TransportFailure, began: float) -> bool:
        """Whether to leave it for now. began: when the mail was begun, by the monotonic clock."""
        if began >= self._last_at:  # else the same outage, seen by another lane
            self._in_a_row += 1
            self._last_at = time.monotonic()
        return isinstance(failure, AccountRefused) or self._in_a_row >= FAILURES_IN_A_ROW

    def end_with(self, answer: Answer) -> None:
        """The server has answered; a mail that could not be built, or wasn't answered, says nothing about it."""
        if answer.verdict not in (Verdict.FAILED, Verdict.IN_DOUBT):
            self._in_a_row = 0
