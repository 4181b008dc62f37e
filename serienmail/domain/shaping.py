"""Whether one more mail may go now: the account's limits, its provider's, and the pauses that answers brought."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from serienmail.domain.back_off import BackOff, accepted, throttled, unwanted
from serienmail.domain.delivery import Outcome, Pause, StageKey
from serienmail.domain.fairness import LOOKS_AGAIN, Fairness
from serienmail.domain.sending_limits import Meter, SendingLimits, grant, room
from serienmail.domain.states import DeliveryState


class Kind(StrEnum):
    """What a shape is of."""

    ACCOUNT = "account"
    PROVIDER = "provider"  # as one account sees it
    STAGE = "stage"  # of a mass mail, at one provider


class Scope(NamedTuple):
    """Whose shape; also the order in which shapes are locked. owner: an account's name, or a stage's id."""

    kind: str
    owner: str
    provider: str = ""


def account_scope(account: str) -> Scope:
    """All that an account sends."""
    return Scope(Kind.ACCOUNT, account)


def provider_scope(account: str, provider: str) -> Scope:
    """What an account sends to a provider."""
    return Scope(Kind.PROVIDER, account, provider)


def stage_scope(key: StageKey, provider: str) -> Scope:
    """What a stage sends to a provider."""
    return Scope(Kind.STAGE, f"{key.mass_mail_id}/{key.stage}", provider)


@dataclass(frozen=True, slots=True)
class Shape:
    """What is remembered of a scope, for all workers."""

    meter: Meter = field(default_factory=Meter)
    fairness: Fairness = field(default_factory=Fairness)
    back_off: BackOff | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """To hand over one mail now."""

    key: StageKey
    account: str
    provider: str
    now: datetime


@dataclass(frozen=True, slots=True)
class NotNow:
    """Nothing goes before, and why, for operators. of_account: nothing of the account's; else of the provider's."""

    until: datetime
    reason: str
    of_account: bool = False


class Gate:
    """Lets mails through, and hears the answers to others, while nobody else changes these shapes.

    limits: of an account's scope, or of a provider's while all is well.
    """

    def __init__(self, shapes: Mapping[Scope, Shape], limits: Callable[[Scope], SendingLimits]) -> None:
        self.shapes = dict(shapes)
        self._before = shapes
        self._limits = limits

    def copy(self) -> "Gate":
        """As it stands, to try something."""
        return Gate(self.shapes, self._limits)

    def changed(self) -> Iterator[tuple[Scope, Shape]]:
        """What isn't as it was, in the order of locks."""
        for scope in sorted(self.shapes):
            if self.shapes[scope] != self._before.get(scope):
                yield scope, self.shapes[scope]

    def hear(self, outcomes: Iterable[Outcome]) -> None:
        """Pauses begin with bad answers, and end with good ones."""
        for heard in outcomes if self.shapes else ():
            provider = provider_scope(heard.account, heard.provider)
            stage = stage_scope(heard.key, heard.provider)
            if heard.pause is Pause.PROVIDER:
                self._set(provider, back_off=throttled(self._back_off(provider), heard.at, heard.codes))
            elif heard.pause is Pause.STAGE_FOR_PROVIDER:
                self._set(stage, back_off=unwanted(self._back_off(stage), heard.at, heard.codes))
            elif heard.state is DeliveryState.SENT:
                for scope in (provider, stage):
                    if trouble := self._back_off(scope):
                        self._set(scope, back_off=accepted(trouble, heard.at))

    def admit(self, wish: Wish) -> NotNow | None:
        """Count it, and let it through; or say why not."""
        account, provider = account_scope(wish.account), provider_scope(wish.account, wish.provider)
        stage = stage_scope(wish.key, wish.provider)
        refused = self._rests(stage, wish) or self._rests(provider, wish)
        refused = refused or self._full(provider, wish) or self._full(account, wish) or self._not_its_turn(wish)
        if refused is None:
            self._count(provider, wish)
            self._count(account, wish)
            if (trouble := self._back_off(stage)) and trouble.probes:
                self._set(stage, back_off=trouble.probed(wish.now))
        return refused

    def wait(self, wish: Wish, refused: NotNow) -> None:
        """Remember who was refused, so that its share is kept."""
        scope = account_scope(wish.account)
        if refused.of_account and scope in self.shapes:
            waiting = self.shapes[scope].fairness.waits(wish.key.mass_mail_id, refused.until, wish.now)
            self._set(scope, fairness=waiting)

    def _rests(self, scope: Scope, wish: Wish) -> NotNow | None:
        trouble = self._back_off(scope)
        if trouble is None or not trouble.rests(wish.now):
            return None
        return NotNow(trouble.until, why_it_rests(scope, trouble))

    def _full(self, scope: Scope, wish: Wish) -> NotNow | None:
        if scope not in self.shapes:
            return None
        tried = grant(self._share(scope), self.shapes[scope].meter, 1, wish.now)
        if tried.mails or tried.next_at is None:
            return None
        return NotNow(tried.next_at, f"{scope.provider or scope.owner}: {tried.reason}", scope.kind == Kind.ACCOUNT)

    def _not_its_turn(self, wish: Wish) -> NotNow | None:
        scope = account_scope(wish.account)
        if scope not in self.shapes:
            return None
        free = room(self._share(scope), self.shapes[scope].meter, wish.now)
        if self.shapes[scope].fairness.share(wish.key.mass_mail_id, free, wish.now):
            return None
        return NotNow(wish.now + LOOKS_AGAIN, f"{wish.account}: other mass mails have their turn", of_account=True)

    def _count(self, scope: Scope, wish: Wish) -> None:
        if scope in self.shapes:
            shape = self.shapes[scope]
            granted = grant(self._share(scope), shape.meter, 1, wish.now)
            took = shape.fairness.took(wish.key.mass_mail_id, 1, wish.now)
            self.shapes[scope] = replace(shape, meter=granted.meter, fairness=took)

    def _share(self, scope: Scope) -> SendingLimits:
        trouble = self._back_off(scope)
        return self._limits(scope).scaled(trouble.share if trouble else 1.0)

    def _back_off(self, scope: Scope) -> BackOff | None:
        return self.shapes[scope].back_off if scope in self.shapes else None

    def _set(self, scope: Scope, **changes: object) -> None:
        self.shapes[scope] = replace(self.shapes.get(scope, Shape()), **changes)  # type: ignore[arg-type]  # of Shape


def why_it_rests(scope: Scope, trouble: BackOff) -> str:
    """For operators; the answer's codes alone, since its words may name somebody."""
    if scope.kind == Kind.STAGE:
        return f"{scope.provider} doesn't want this mail ({trouble.reply})"
    return f"{scope.provider} wants less mail ({trouble.reply})"
