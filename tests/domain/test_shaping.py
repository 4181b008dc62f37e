"""One more mail goes if account, provider and stage all let it."""

from datetime import datetime, timedelta

from serienmail.domain.delivery import Outcome, Pause, StageKey
from serienmail.domain.sending_limits import SendingLimits
from serienmail.domain.shaping import (
    Gate,
    NotNow,
    Scope,
    Shape,
    Wish,
    account_scope,
    provider_scope,
    stage_scope,
)
from serienmail.domain.states import DeliveryState
from tests.builders import KEY, NOON

MINUTE = timedelta(minutes=1)
ACCOUNT, GOOGLE, STAGE = account_scope("main"), provider_scope("main", "google"), stage_scope(KEY, "google")


def a_gate(**limits: SendingLimits) -> Gate:
    """All shapes are there; limits of ``main`` and ``google``."""

    def of(scope: Scope) -> SendingLimits:
        return limits.get(scope.provider or scope.owner, SendingLimits())

    return Gate({scope: Shape() for scope in (ACCOUNT, GOOGLE, STAGE)}, of)


def to(provider: str = "google", now: datetime = NOON, mass_mail: str = "autumn") -> Wish:
    return Wish(StageKey(mass_mail, 0), "main", provider, now)


def an_outcome(pause: Pause = Pause.NONE, at: datetime = NOON, state: DeliveryState = DeliveryState.SENT) -> Outcome:
    return Outcome(KEY, 1, "token", state, at, account="main", provider="google", pause=pause, codes="421 4.7.28")


def admitted(gate: Gate, wishes: list[Wish]) -> int:
    return [gate.admit(wish) for wish in wishes].count(None)


def test_without_limits_everything_goes_and_nothing_is_remembered() -> None:
    gate = Gate({}, lambda _: SendingLimits())
    assert admitted(gate, [to()] * 100) == 100
    assert gate.shapes == {}


def test_an_account_s_limit_holds_back_everything_and_says_when_it_goes_on() -> None:
    gate = a_gate(main=SendingLimits(per_hour=30))
    assert admitted(gate, [to()] * 30) == 30
    assert gate.admit(to("web.de")) == NotNow(NOON + 66 * MINUTE, "main: 30 an hour are out", of_account=True)


def test_a_provider_s_limit_holds_back_its_own_recipients_alone_and_costs_the_account_nothing() -> None:
    gate = a_gate(main=SendingLimits(per_hour=30), google=SendingLimits(per_hour=5))
    assert admitted(gate, [to()] * 20) == 5
    assert admitted(gate, [to("web.de")] * 30) == 25


def test_a_provider_that_throttles_rests_and_then_gets_half_its_rate() -> None:
    gate = a_gate(google=SendingLimits(per_minute=10))
    gate.hear([an_outcome(Pause.PROVIDER, state=DeliveryState.DEFERRED)])
    assert gate.admit(to()) == NotNow(NOON + MINUTE, "google wants less mail (421 4.7.28)")
    assert gate.admit(to("web.de")) is None
    assert admitted(gate, [to(now=NOON + MINUTE)] * 10) == 5


def test_a_provider_that_does_not_want_a_mass_mail_still_gets_the_others() -> None:
    gate = a_gate()
    gate.hear([an_outcome(Pause.STAGE_FOR_PROVIDER, state=DeliveryState.REJECTED)])
    refused = gate.admit(to())
    assert refused is not None
    assert (refused.until, refused.of_account) == (NOON + 60 * MINUTE, False)
    assert refused.reason == "google doesn't want this mail (421 4.7.28)"
    assert gate.admit(to(mass_mail="winter")) is None


def test_after_such_a_pause_one_mail_is_tried_and_if_it_is_accepted_the_others_follow() -> None:
    gate, later = a_gate(), NOON + 60 * MINUTE
    gate.hear([an_outcome(Pause.STAGE_FOR_PROVIDER, state=DeliveryState.REJECTED)])
    assert admitted(gate, [to(now=later)] * 10) == 1
    gate.hear([an_outcome(at=later)])
    assert admitted(gate, [to(now=later)] * 10) == 10


def test_who_was_refused_finds_its_share_when_it_comes_again() -> None:
    gate = a_gate(main=SendingLimits(per_second=10))
    assert admitted(gate, [to()] * 10) == 10
    winter = to(mass_mail="winter")
    refused = gate.admit(winter)
    assert refused is not None
    gate.wait(winter, refused)
    assert admitted(gate, [to(now=refused.until)] * 10) == 5
    assert admitted(gate, [to(now=refused.until, mass_mail="winter")] * 10) == 5
