"""Copies of a mass mail: one to its author and one to every responsible employee, each at most once."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from temporalio import activity

from activities.heartbeat import beating
from serienmail.domain.copies import Copy, CopyJob, state_after
from serienmail.domain.delivery import Answer
from serienmail.domain.errors import TransportFailure
from serienmail.domain.states import DeliveryState


class CopyLedger(Protocol):
    """Who has got a copy."""

    async def open(self, mass_mail_id: str, by: str) -> None:
        """A row for everybody who gets one; those there are stay as they are."""

    async def claim(self, mass_mail_id: str) -> Copy | None:
        """A copy for this caller alone, committed; None if none is due."""

    async def record(self, claimed: Copy, state: DeliveryState, reply: str) -> None:
        """Keep what became of it; pending gives it back."""


class CopyPost(Protocol):
    """Builds and transports copies."""

    async def send_copy(self, template: str, account: str, user: str, contact: Mapping[str, Any]) -> Answer:
        """Hand one over; TransportFailure if the server can't be had."""


class CopyActivities:
    """send_copies."""

    def __init__(self, ledger: CopyLedger, post: CopyPost) -> None:
        self._ledger = ledger
        self._post = post

    @activity.defn
    async def send_copies(self, job: CopyJob) -> int:
        """Send the copies that haven't gone yet; how many. Safe to repeat."""
        sent = 0
        async with beating(lambda: sent):
            await self._ledger.open(job.mass_mail_id, job.by)
            while copy := await self._ledger.claim(job.mass_mail_id):
                await asyncio.shield(self._hand_over(job, copy))  # a stop waits for no answer, but gets it recorded
                sent += 1
        return sent

    async def _hand_over(self, job: CopyJob, copy: Copy) -> None:
        try:
            answer = await self._post.send_copy(job.template, job.account, copy.user, copy.contact)
        except TransportFailure:
            await self._ledger.record(copy, DeliveryState.PENDING, "")
            raise
        await self._ledger.record(copy, state_after(answer), answer.reply)
