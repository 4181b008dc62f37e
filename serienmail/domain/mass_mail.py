"""A mass mail as it is ordered: whom, what, when, and which follow-ups."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ParamSpec

from serienmail.domain.crm_record import CrmRecord, check_crm_record
from serienmail.domain.errors import ChecksFailed, InvalidOrder
from serienmail.domain.local_time import first_moment
from serienmail.domain.template import TemplateRef
from serienmail.domain.trigger import Trigger, check_triggers

P = ParamSpec("P")
MAX_FOLLOW_UPS = 3
LONGEST_WAIT = timedelta(days=3650)
LONGEST_NAME = 100  # Temporal takes 400 bytes as what people read there, and a character has up to four
LONGEST_TOPIC = 80
MOST_TAGS, LONGEST_TAG = 10, 40
EVENTS_COUNT_FOR = timedelta(days=30)
"""So long after the last mail an open or click still brings a follow-up, if the order says nothing else."""
EVERYONE = "everyone"
"""The id of the selection that has no criteria."""


class Audience(StrEnum):
    """Who of an earlier mail's recipients gets a follow-up (product.md, F2)."""

    RECEIVED = "received"
    OPENED = "opened"
    NOT_OPENED = "not_opened"
    CLICKED = "clicked"
    NOT_CLICKED = "not_clicked"

    @property
    def comes_one_by_one(self) -> bool:
        """Whether its people become it at any time, each at their own."""
        return self in (Audience.OPENED, Audience.CLICKED)


class Of(StrEnum):
    """Whose recipients a follow-up's audience is a part of."""

    MASS_MAIL = "mass_mail"
    PREVIOUS = "previous"  # follow-up; for the first one that is the mass mail


class CountedFrom(StrEnum):
    """What a follow-up's days begin with."""

    END = "end"  # of the mass mail
    EVENT = "event"  # each recipient's own open or click


class AsOf(StrEnum):
    """When it is decided whom the selection picks."""

    DUE = "due"
    START = "start"


class OnMissing(StrEnum):
    """What to do if a placeholder is empty for a recipient."""

    REFUSE = "refuse"
    EXCLUDE = "exclude"


class InDoubt(StrEnum):
    """What to do about a mail that was handed over and whose answer was never seen."""

    HOLD = "hold"  # it stays in doubt until evidence or somebody's word settles it
    RESEND = "resend"  # it is sent once more, as the same message: some people get it twice


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """One follow-up: its own template, to a part of those who got the mass mail.

    template: ``name@revision``.
    after: how long after the mass mail's end; or on: an aware date and time. Exactly one of the two.
    counted_from: or each recipient gets it so long after having opened or clicked.
    within: then who does that so long after the last mail or later gets none; None: EVENTS_COUNT_FOR.
    ignore: id of a stored selection; who is in it when the follow-up is due gets none.
    of: whose recipients these are, and what they opened or clicked.
    triggers: what its own recipients set off.
    """

    template: str
    audience: Audience
    after: timedelta | None = None
    on: datetime | None = None
    ignore: str | None = None
    of: Of = Of.MASS_MAIL
    triggers: tuple[Trigger, ...] = ()
    counted_from: CountedFrom = CountedFrom.END
    within: timedelta | None = None

    @property
    def comes_one_by_one(self) -> bool:
        """Whether each recipient has a time of their own."""
        return self.counted_from is CountedFrom.EVENT

    @property
    def is_of_previous(self) -> bool:
        """Whether it has to wait for the follow-up before it."""
        return self.of is Of.PREVIOUS

    def due(self, ended: datetime) -> datetime:
        """When it is due if the mass mail ended then; or when its recipients are waited for from then on."""
        return self.on or (ended if self.comes_one_by_one else ended + (self.after or timedelta()))

    @property
    def when(self) -> str:
        """In words."""
        if self.on:
            return f"on {self.on:%Y-%m-%d %H:%M %Z}"
        days = f"{(self.after or timedelta()).days} days after"
        if self.comes_one_by_one:
            return f"{days} each one's own {'click' if self.audience is Audience.CLICKED else 'open'}"
        return f"{days} the end"


@dataclass(frozen=True, slots=True, kw_only=True)
class MassMail:
    """An order. It carries ids only, since workflow histories keep it: no address, no name of a recipient.

    id: lower-case letters, digits, ``-``; it names the workflow.
    created_by: user id. account: name of a sending account in the settings.
    template: ``name@revision``. selection: id of a stored selection.
    due: aware date and time; None: at once. local_time: at that time of day in each recipient's zone.
    measured: opens are measured, for recipients who agreed to it.
    copies: one goes to the creator, and one to everybody who answers for recipients (contact.owner).
    stop_on_reply: who answers gets no follow-ups any more.
    auto_answer: the template that answers them once by itself, as ``name@revision``; empty: nothing does.
    topic: what recipients can unsubscribe from alone, in words that they read; empty: only from everything.
    as_of: filters and lists are asked again when the mass mail is due, or what they say at its start stays.
    in_doubt: what to do about mails whose answer was never seen.
    triggers: what the mass mail's recipients set off; follow-ups have their own.
    crm: what the CRM keeps of it.
    tags: words of its author's, by which lists find it.
    notify: who ordered it is told by mail when its recipients are read.
    """

    id: str
    name: str
    created_by: str
    account: str
    template: str
    selection: str = EVERYONE
    due: datetime | None = None
    follow_ups: tuple[FollowUp, ...] = ()
    opted_in_only: bool = True
    measured: bool = True
    on_missing: OnMissing = OnMissing.REFUSE
    copies: bool = False
    stop_on_reply: bool = False
    auto_answer: str = ""
    local_time: bool = False
    topic: str = ""
    as_of: AsOf = AsOf.DUE
    in_doubt: InDoubt = InDoubt.HOLD
    triggers: tuple[Trigger, ...] = ()
    crm: CrmRecord = CrmRecord()  # noqa: RUF009  # it is frozen
    tags: tuple[str, ...] = ()
    notify: bool = False

    @property
    def begins(self) -> datetime | None:
        """When its first mail may go; None: at once."""
        return first_moment(self.due) if self.due and self.local_time else self.due

    @property
    def all_triggers(self) -> Sequence[Trigger]:
        """Of all its stages."""
        return [*self.triggers, *(trigger for rule in self.follow_ups for trigger in rule.triggers)]


def check_order(order: MassMail, now: datetime) -> None:
    """InvalidOrder if the order can't be carried out as written; ChecksFailed if for several reasons."""
    problems = [*_problems(order), *_refused(TemplateRef.parse, order.template)]
    if order.auto_answer:
        problems += _refused(TemplateRef.parse, order.auto_answer)
    if order.due is not None:
        problems += _refused(check_future, order.due, now)
    for triggers in (order.triggers, *(rule.triggers for rule in order.follow_ups)):
        problems += _refused(check_triggers, triggers, measured=order.measured)
    problems += _refused(check_crm_record, order.crm)
    for number, follow_up in enumerate(order.follow_ups, start=1):
        problems += _problems_of_follow_up(number, follow_up, now)
    if len(problems) > 1:
        raise ChecksFailed(problems)
    if problems:
        raise InvalidOrder(problems[0])


def _problems(order: MassMail) -> Iterator[str]:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,99}", order.id):
        yield "The id may have lower-case letters, digits and '-' only, 100 at most; choose another."
    if not order.name.strip() or not order.name.isprintable() or len(order.name) > LONGEST_NAME:
        yield f"A mass mail needs a name of one line, {LONGEST_NAME} characters at most; give it one."
    if not order.created_by.strip() or not order.created_by.isprintable() or len(order.created_by) > LONGEST_NAME:
        yield f"Nobody is named as the creator in {LONGEST_NAME} characters; say who you are (by)."
    if not order.topic.isprintable() or order.topic.strip() != order.topic or len(order.topic) > LONGEST_TOPIC:
        yield f"The topic must be one line of {LONGEST_TOPIC} characters at most; shorten it."
    yield from _problems_of_tags(order.tags)
    if order.local_time and order.due is None:
        yield "Local time needs a time; say when it is due."
    if len(order.follow_ups) > MAX_FOLLOW_UPS:
        yield f"A mass mail has {MAX_FOLLOW_UPS} follow-ups at most; take {_surplus(order)} out."


def _problems_of_tags(tags: Sequence[str]) -> Iterator[str]:
    if len(tags) > MOST_TAGS:
        yield f"A mass mail has {MOST_TAGS} tags at most; take {len(tags) - MOST_TAGS} out."
    if len({tag.casefold() for tag in tags}) < len(tags):
        yield "A tag is there twice; take one of the two out."
    if not all(tag.strip() == tag and tag.isprintable() and 0 < len(tag) <= LONGEST_TAG for tag in tags):
        yield f"A tag is one line of {LONGEST_TAG} characters at most, without spaces around it; correct it."


def _refused(check: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> list[str]:
    """What a check says against it."""
    try:
        check(*args, **kwargs)
    except InvalidOrder as error:
        return [str(error)]
    return []


def check_future(due: datetime, now: datetime) -> None:
    """InvalidOrder for a naive time or one in the past."""
    if due.tzinfo is None:
        raise InvalidOrder(f"{due:%Y-%m-%d %H:%M} has no time zone; add one, e.g. +01:00.")
    if due < now:
        raise InvalidOrder(f"{due:%Y-%m-%d %H:%M %Z} is in the past; give a time to come, or none to send now.")


def _surplus(order: MassMail) -> str:
    surplus = len(order.follow_ups) - MAX_FOLLOW_UPS
    return "one" if surplus == 1 else str(surplus)


def _problems_of_follow_up(number: int, follow_up: FollowUp, now: datetime) -> Iterator[str]:
    yield from _refused(TemplateRef.parse, follow_up.template)
    if (follow_up.after is None) == (follow_up.on is None):
        yield f"Follow-up {number} needs days after the mass mail's end, or a date; give one of them."
        return
    if follow_up.on is not None:
        if follow_up.audience.comes_one_by_one:
            yield (
                f"Follow-up {number} goes to those who {follow_up.audience}, who come one by one: "
                "give days instead of a date."
            )
        yield from _refused(check_future, follow_up.on, now)
    if follow_up.after is not None and follow_up.after < timedelta():
        yield f"Follow-up {number} would come before the mass mail's end; give a number of days from 0."
    if follow_up.after is not None and follow_up.after > LONGEST_WAIT:
        yield f"Follow-up {number} would come too late; give {LONGEST_WAIT.days} days at most."
    yield from _problems_of_events(number, follow_up)


def _problems_of_events(number: int, follow_up: FollowUp) -> Iterator[str]:
    if not follow_up.comes_one_by_one:
        if follow_up.within is not None:
            yield (
                f"Follow-up {number} counts from the end, so it waits for nobody's open or click; "
                "take 'within' out, or count from the event."
            )
    elif not follow_up.audience.comes_one_by_one:
        yield (
            f"Follow-up {number} can't count from an event, since '{follow_up.audience}' is none; "
            "let it go to those who opened or clicked, or count from the end."
        )
    elif follow_up.within is not None and not timedelta() < follow_up.within <= LONGEST_WAIT:
        yield f"Follow-up {number} can't wait so long for opens and clicks; give 1 to {LONGEST_WAIT.days} days."
