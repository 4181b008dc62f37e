"""A request for consent goes out once, whatever happens to its activity."""

from dataclasses import dataclass, field
from datetime import datetime

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.consents import ConsentActivities, ConsentRequest
from serienmail.domain.delivery import Answer, Claimed, Verdict
from serienmail.domain.errors import ServerUnreachable
from tests.fakes import FakePost, claimed


@dataclass
class Due:
    """A request to hand over."""

    claimed: Claimed
    template: str = "ask@1"
    account: str = "main"


@dataclass
class FakeRequests:
    """One request, and what was done with it."""

    free: bool = True
    verdicts: list[Verdict] = field(default_factory=list)

    async def claim(self, number: int, now: datetime) -> Due | None:
        was_free, self.free = self.free, False
        return Due(claimed(number)) if was_free else None

    async def give_back(self, number: int) -> None:
        self.free = True

    async def record(self, number: int, verdict: Verdict) -> None:
        self.verdicts.append(verdict)


class FakeConsentPostOffice:
    """Has one post."""

    def __init__(self, post: FakePost) -> None:
        self._post = post

    async def consent_post(self, template: str, account: str) -> FakePost:
        return self._post


async def send(requests: FakeRequests, post: FakePost) -> str:
    activities = ConsentActivities(requests, FakeConsentPostOffice(post))
    return await ActivityEnvironment().run(activities.send_consent_request, ConsentRequest(7))


async def test_a_request_goes_out_and_a_second_try_finds_it_handed_over() -> None:
    requests, post = FakeRequests(), FakePost()
    assert await send(requests, post) == "accepted"
    assert await send(requests, post) == "handed over before, or expired"
    assert (post.begun, requests.verdicts) == ([7], [Verdict.ACCEPTED])


async def test_a_server_that_is_away_or_says_later_gets_it_again() -> None:
    def away(_: Claimed) -> Answer:
        raise ServerUnreachable("away")

    for answer, error in ((away, ServerUnreachable), (lambda _: Answer(Verdict.DEFERRED), ApplicationError)):
        requests = FakeRequests()
        with pytest.raises(error):
            await send(requests, FakePost(answer))
        assert (requests.free, requests.verdicts) == (True, [])


async def test_a_request_in_doubt_is_not_sent_again() -> None:
    def crash(_: Claimed) -> Answer:
        raise RuntimeError("a fault of ours")

    requests = FakeRequests()
    with pytest.raises(RuntimeError):
        await send(requests, FakePost(crash))
    assert not requests.free
    requests = FakeRequests()
    assert await send(requests, FakePost(lambda _: Answer(Verdict.IN_DOUBT))) == "in_doubt"
    assert not requests.free
