"""Whom a stage goes to: what is asked of the database, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from serienmail.domain.delivery import Counts, StageKey
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.mass_mail import EVENTS_COUNT_FOR, EVERYONE, Audience, FollowUp, MassMail, Of, OnMissing

LOOKS_AGAIN = timedelta(hours=1)
"""Whose follow-up is due at once gets it within this."""
_TOGETHER = timedelta(minutes=5)
"""People who are due this near to each other get their follow-ups together, which spares looking for each."""


@dataclass(frozen=True, slots=True)
class OwnDays:
    """A follow-up's recipients come one by one: so long ``after`` their own open or click.

    within: who opens or clicks so long after the last mail, or later, isn't waited for.
    """

    after: timedelta
    within: timedelta = EVENTS_COUNT_FOR

    def looks_again(self, now: datetime, first: datetime | None, last_mail: datetime | None) -> datetime | None:
        """When the next ones may be due; None: nobody can come any more.

        first: the earliest event of those who aren't due yet. last_mail: when the last mail went out that can be
        opened; None: none did. Whoever opens one from now on isn't due before ``now + after``.
        """
        if first is not None:
            return max(first + self.after, now) + _TOGETHER
        if last_mail is None or now >= last_mail + self.within:
            return None
        return min(now + max(self.after, LOOKS_AGAIN), last_mail + self.within)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A snapshot of recipients for one stage.

    revision: of the order; loading the same revision twice gives the stored counts.
    selection: id of a stored selection (stage 0). audience: a part of those who got an earlier stage, ``of``.
    ignore: id of a stored selection whose members are left out. without_replied: so are those who answered.
    topic: the order's.
    templates: ``name@revision`` of every template that each recipient must be able to fill, the stage's own first.
    account: that they are sent on.
    local_due: each recipient's row waits until clocks of the recipient's zone show this time.
    own_days: those who are due now join those who are there already; else all are chosen at once.
    """

    key: StageKey
    revision: int
    opted_in_only: bool
    on_missing: OnMissing
    templates: tuple[str, ...]
    account: str = ""
    local_due: datetime | None = None
    selection: str = EVERYONE
    audience: Audience | None = None
    ignore: str | None = None
    without_replied: bool = False
    topic: str = ""
    of: int = 0
    own_days: OwnDays | None = None

    @property
    def asked(self) -> StageKey:
        """The stage whose recipients are the audience."""
        return StageKey(self.key.mass_mail_id, self.of)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A stage's recipients in numbers.

    missing: for each placeholder that is empty for somebody, or fault that somebody's mail would have, for how many;
    empty if these were excluded. faulty: how many people that are, some of whom may have several.
    looks_again: when others may be due; None: these are all.
    """

    counts: Counts
    missing: Mapping[str, int] = field(default_factory=dict)
    faulty: int = 0
    looks_again: datetime | None = None

    @property
    def problem(self) -> str | None:
        """Why nothing may be sent to them, a sentence for each reason; None if all is well."""
        problems = []
        empty = [f"{name} for {n}" for name, n in sorted(self.missing.items()) if name.startswith("contact.")]
        if empty:
            problems.append(
                f"Placeholders are empty for some recipients ({', '.join(empty)}): "
                "give defaults in the template, complete the contacts, or order to exclude them."
            )
        faults = sorted(fault for fault in self.missing if not fault.startswith("contact."))
        problems += [f"For {self.missing[fault]} of the recipients {fault}." for fault in faults]
        if self.counts.will_receive == 0:
            left = f"No recipients are left of {self.counts.selected} selected{_by_reason(self.counts)}; select others."
            problems.append(left)
        return "\n".join(problems) or None


def _by_reason(counts: Counts) -> str:
    if not counts.excluded:
        return ""
    return " (" + ", ".join(f"{n} {Exclusion(code).words}" for code, n in sorted(counts.excluded.items())) + ")"


def first_load(order: MassMail, revision: int) -> Load:
    """Loading the mass mail itself; its recipients must be able to fill the follow-ups' templates too."""
    return Load(
        key=StageKey(order.id, 0),
        revision=revision,
        opted_in_only=order.opted_in_only,
        on_missing=order.on_missing,
        topic=order.topic,
        templates=(order.template, *(rule.template for rule in order.follow_ups)),
        account=order.account,
        local_due=order.due if order.local_time else None,
        selection=order.selection,
    )


def follow_up_load(order: MassMail, revision: int, stage: int) -> Load:
    """Loading a follow-up (1–3), when it is due."""
    rule = order.follow_ups[stage - 1]
    return Load(
        key=StageKey(order.id, stage),
        revision=revision,
        opted_in_only=order.opted_in_only,
        topic=order.topic,
        on_missing=OnMissing.EXCLUDE,  # weeks later nobody waits for an answer: the others get theirs
        templates=(rule.template,),
        account=order.account,
        audience=rule.audience,
        of=stage - 1 if rule.of is Of.PREVIOUS else 0,
        ignore=rule.ignore,
        without_replied=order.stop_on_reply,
        own_days=_own_days(rule),
    )


def _own_days(rule: FollowUp) -> OwnDays | None:
    if not rule.comes_one_by_one:
        return None
    return OwnDays(rule.after or timedelta(), rule.within or EVENTS_COUNT_FOR)
