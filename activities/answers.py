"""Sending automatic answers to answers, each at most once."""

from datetime import datetime
from typing import Protocol

from temporalio import activity

from activities.clock import ActivityClock
from activities.one_mail import deliver_in_turn
from activities.sending import Post
from serienmail.domain.delivery import Claimed, Verdict
from serienmail.domain.errors import SerienmailError, TransportFailure

TURN = "automatic answers"
"""Whose turn it is among mass mails."""
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
        """The committed right to hand the next one over that wasn't tried at that time; None if none is due."""

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
        """How many were handed over. The others are tried in the mailbox's next run, after those that never were."""
        begun, handed_over = ActivityClock().now(), 0
        for _ in range(MOST_AT_ONCE):
            due = await self._answers.claim(begun)
            if due is None:
                break
            try:
                handed_over += await self._hand_over(due)
            except TransportFailure:
                break  # the next ones would fare no better
        return handed_over

    async def _hand_over(self, due: DueAnswer) -> bool:
        token = due.claimed.token
        try:
            post = await self._post_office.answer_post(due.template, due.account, due.replied_to)
            answer = await deliver_in_turn(post, due.claimed, TURN)
        except SerienmailError as error:
            await self._answers.give_back(token)
            if isinstance(error, TransportFailure):
                raise
            return False
        if answer.verdict is Verdict.DEFERRED:
            await self._answers.give_back(token)
            return False
        await self._answers.record(token, answer.verdict)
        return True
