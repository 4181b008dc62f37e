"""Sending one request for consent, at most once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clock import ActivityClock
from activities.one_mail import deliver_in_turn
from activities.sending import Post
from serienmail.domain.delivery import Claimed, Verdict
from serienmail.domain.errors import SerienmailError

TURN = "requests for consent"
"""Whose turn it is among mass mails."""


class DueRequest(Protocol):
    """A request that this process alone may hand over."""

    @property
    def claimed(self) -> Claimed:
        """What its mail needs; its number instead of a mass mail's."""

    @property
    def template(self) -> str:
        """``name@revision``."""

    @property
    def account(self) -> str:
        """Its name in the settings."""


class Requests(Protocol):
    """Requests for consent by number."""

    async def claim(self, number: int, now: datetime) -> DueRequest | None:
        """The committed right to hand it over; None if somebody had it, or it may not go any more.

        RequestInHand while somebody may be handing it over, who may also have died.
        """

    async def give_back(self, number: int) -> None:
        """Nothing was handed over."""

    async def record(self, number: int, verdict: Verdict) -> None:
        """Keep what became of it."""


class PostOffice(Protocol):
    """Builds and transports mails."""

    async def consent_post(self, template: str, account: str) -> Post:
        """For requests for consent; NotFound for an unknown template or account."""


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """number: of the stored request, which has everything else."""

    number: int


class ConsentActivities:
    """send_consent_request."""

    def __init__(self, requests: Requests, post_office: PostOffice) -> None:
        self._requests = requests
        self._post_office = post_office

    @activity.defn
    async def send_consent_request(self, request: ConsentRequest) -> str:
        """The server's verdict, or that it was handed over before.

        Whoever was asked isn't asked twice by a retry; unless a process died over it, see ``Requests.claim``.
        """
        due = await self._requests.claim(request.number, ActivityClock().now())
        if due is None:
            return "handed over before, or expired"
        try:
            post = await self._post_office.consent_post(due.template, due.account)
            answer = await deliver_in_turn(post, due.claimed, TURN)
        except SerienmailError:
            await self._requests.give_back(request.number)
            raise
        if answer.verdict is Verdict.DEFERRED:
            await self._requests.give_back(request.number)
            raise ApplicationError("the mail server said 'later'; tried again by itself.", type="Deferred")
        await self._requests.record(request.number, answer.verdict)
        return answer.verdict
