"""Sending automatic answers to answers, each at most once."""

import asyncio
from datetime import datetime
from typing import Protocol

from temporalio import activity

from activities.clock import ActivityClock
from activities.sending import Post
from serienmail.domain.delivery import Answer, Claimed, Verdict
from serienmail.domain.errors import SerienmailError, ServerUnreachable

TURN = "automatic answers"
"""They take turns with mass mails as if they were one."""
SLOT_WITHIN = 10.0
"""Seconds."""
MOST_AT_ONCE = 100
"""In one activity; the mailbox's next run goes on."""


class DueAnswer(Protocol):
    """An answer that this process alone may hand over."""

    @property
    def claimed(self) -> Claimed:
        """What its mail needs; of the mail that was answered."""

    @property
    def template(self) -> str:
        """``name@revision``."""

    @property
    def account(self) -> str:
        """Its name in the settings."""

    @property
    def replied_to(self) -> str:
        """The Message-ID of what is answered."""


class Answers(Protocol):
    """Automatic answers, at most one for a recipient and a mass mail."""

    async def claim(self, now: datetime) -> DueAnswer | None:
        """The committed right to hand the next one over; None if none is due."""

    async def give_back(self, token: str) -> None:
        """Nothing was handed over."""

    async def record(self, token: str, verdict: Verdict) -> None:
        """Keep what became of it."""


class PostOffice(Protocol):
    """Builds and transports mails."""

    async def answer_post(self, template: str, account: str, replied_to: str) -> Post:
        """For one automatic answer; NotFound for an unknown template or account."""


class AnswerActivities:
    """send_answers. What is in hand when a process dies is in doubt, and never sent again."""

    def __init__(self, answers: Answers, post_office: PostOffice) -> None:
        self._answers = answers
        self._post_office = post_office

    @activity.defn
    async def send_answers(self) -> int:
        """How many were handed over. A server that can't take them now gets them in the mailbox's next run."""
        for number in range(MOST_AT_ONCE):
            due = await self._answers.claim(ActivityClock().now())
            if due is None or not await self._hand_over(due):
                return number
        return MOST_AT_ONCE

    async def _hand_over(self, due: DueAnswer) -> bool:
        token = due.claimed.token
        try:
            post = await self._post_office.answer_post(due.template, due.account, due.replied_to)
            async with post.in_use(TURN):
                answer = await _delivered(post, due.claimed)
        except SerienmailError:
            await self._answers.give_back(token)
            return False
        if answer.verdict is Verdict.DEFERRED:
            await self._answers.give_back(token)
            return False
        await self._answers.record(token, answer.verdict)
        return True


async def _delivered(post: Post, claimed: Claimed) -> Answer:
    """When it is its turn among the mass mails of the account."""
    try:
        async with asyncio.timeout(SLOT_WITHIN):
            await post.slots.take(TURN)
    except TimeoutError:
        raise ServerUnreachable("all connections of the account are in use; it will be tried again.") from None
    try:
        return await post.deliver(claimed)
    finally:
        post.slots.give_back()
