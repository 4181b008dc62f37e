"""Sending one slice: claim, hand over, record, for as long as rows are due and time is left."""

import asyncio
import logging
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clock import ActivityClock
from activities.heartbeat import beating
from serienmail.domain.delivery import Answer, Claimed, Outcome, SliceJob, given_back, outcome
from serienmail.domain.errors import ServerUnreachable, TransportFailure

log = logging.getLogger(__name__)

CLAIM_SECONDS = 240
"""A slice claims nothing after this, so that its mails' answers (10 min at most) fit into its 20 minutes."""
PATIENT_AFTER = 3
"""From this failed attempt on a slice returns and says why it waits, instead of failing once more."""
PATIENCE = timedelta(minutes=5)


class Ledger(Protocol):
    """The ledger as sending needs it."""

    async def claim(self, job: SliceJob, now: datetime) -> Claimed | None:
        """A due row for this caller alone, committed; None if there is none."""

    async def record(self, outcome: Outcome) -> None:
        """Keep an outcome; returns when it is committed."""


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
        return await _Slice(self._ledger, post, job).send()


class _Slice:
    """One attempt at one slice. Mails in hand are finished even if the attempt is cancelled."""

    def __init__(self, ledger: Ledger, post: Post, job: SliceJob) -> None:
        self._ledger, self._post, self._job = ledger, post, job
        self._clock = ActivityClock()
        self._claims_until = time.monotonic() + CLAIM_SECONDS
        self._draining = False
        self._handled = 0
        self._failure: TransportFailure | None = None

    async def send(self) -> SliceResult:
        rows = self._job.range.last - self._job.range.first + 1
        lanes = [asyncio.create_task(self._lane()) for _ in range(min(self._post.connections, rows))]
        shutdown = asyncio.create_task(self._drain_at_shutdown())
        async with beating(lambda: self._handled):
            try:
                await asyncio.wait(lanes)
            except asyncio.CancelledError:
                self._draining = True
                await asyncio.wait(lanes)  # mails in hand get their outcome first
                raise
            finally:
                shutdown.cancel()
                failures = [lane.exception() for lane in lanes if lane.done()]  # all looked at, else the log complains
        for failure in failures:
            if failure:
                raise failure
        return self._result()

    async def _drain_at_shutdown(self) -> None:
        await activity.wait_for_worker_shutdown()
        self._draining = True

    async def _lane(self) -> None:
        """One connection's worth of mails, one after the other."""
        more = True
        while more:
            async with self._post.slots:
                more = await self._next_mail()

    async def _next_mail(self) -> bool:
        """Claim and hand over one mail; False if there is none to claim, or no more time for it."""
        if self._draining or time.monotonic() > self._claims_until:
            return False
        claimed = await self._ledger.claim(self._job, self._clock.now())
        if claimed is None:
            return False
        await self._hand_over(claimed)
        return True

    async def _hand_over(self, claimed: Claimed) -> None:
        try:
            answer = await self._post.deliver(claimed)
        except TransportFailure as failure:
            self._failure, self._draining = failure, True
            await self._ledger.record(given_back(claimed, self._clock.now()))
        except Exception as error:
            # A fault of ours: nobody knows whether this mail went, and the next ones would fare no better.
            self._draining = True
            log.exception("a mail could not be handed over")
            says = "a mail could not be handed over, and is in doubt; the worker's log has the details."
            raise ApplicationError(says, type=type(error).__name__, non_retryable=True) from None
        else:
            await self._ledger.record(outcome(claimed, answer, self._clock.now()))
            self._handled += 1

    def _result(self) -> SliceResult:
        if self._failure is None:
            return SliceResult(self._handled)
        if activity.info().attempt < PATIENT_AFTER or not isinstance(self._failure, ServerUnreachable):
            raise self._failure
        return SliceResult(self._handled, self._clock.now() + PATIENCE, str(self._failure))
