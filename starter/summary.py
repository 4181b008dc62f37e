"""What became of a mass mail, for its author: how many got it, and by name who didn't, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from serienmail.domain.activity import Kind
from serienmail.domain.breakdown import Breakdown
from serienmail.domain.delivery import Counts, StageKey
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.states import DeliveryState
from serienmail.domain.statistics import SHARE_OF, StageNumbers
from serienmail.storage.copies import CopyStory
from serienmail.storage.deliveries import DeliveryList, Story
from starter.charts import over_time
from starter.report_language import Language
from starter.services import Services

MOST_NAMES = 1_000
"""Of each kind in each stage; the numbers are always whole."""
MOST_PARTS = 20
"""Domains and links on the page."""
_PAGE = Path(__file__).with_name("summary.html")
_WITHOUT_MAIL = {
    DeliveryState.EXCLUDED: "excluded",
    DeliveryState.REJECTED: "rejected by their mail servers",
    DeliveryState.FAILED: "failed",
    DeliveryState.UNKNOWN: "in doubt: handed over, answer never seen",
    DeliveryState.DEFERRED: "deferred, tried again later",
    DeliveryState.CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True)
class Person:
    """contact: the CRM's own number. why: what stands behind the group's reason, if that isn't all."""

    contact: str
    name: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Those who got none for one reason: an exclusion in words, or the server's own. people: MOST_NAMES at most."""

    kind: str
    why: str
    number: int
    people: Sequence[Person]


@dataclass(frozen=True, slots=True)
class StageSummary:
    """One stage. numbers: all of the statistics; without_mail: how many got none, by the kind of reason."""

    name: str
    selected: int
    sent: int
    numbers: StageNumbers
    without_mail: Mapping[str, int]
    groups: Sequence[Group]

    @property
    def is_shortened(self) -> bool:
        """Whether there are more people than are named."""
        return any(number > MOST_NAMES for number in self.without_mail.values())


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole mass mail as it is now. created: activities in the CRM, by kind."""

    id: str
    name: str
    state: str
    reason: str
    created_by: str
    stages: Sequence[StageSummary]
    breakdown: Breakdown
    copies: Sequence[CopyStory]
    created: Mapping[Kind, int]


async def summarise(services: Services, mass_mail_id: str) -> Summary:
    """A mass mail's summary, from the database alone; NotFound if there is none."""
    status = (await services.mass_mails.get(mass_mail_id)).status
    order = status.order
    statistics = await services.statistics.of(order.id)
    return Summary(
        id=order.id,
        name=order.name,
        state=status.state.replace("_", " "),
        reason=status.reason,
        created_by=order.created_by,
        stages=[await _stage(services, StageKey(order.id, n), numbers) for n, numbers in statistics.stages.items()],
        breakdown=await services.statistics.breakdown(order.id),
        copies=await services.copies.stories(order.id),
        created=await services.activities.counts(order.id),
    )


def as_page(summary: Summary, language: Language = Language.ENGLISH) -> str:
    """The summary as one HTML page without anything from outside; names and replies are escaped."""
    pages = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return pages.from_string(_PAGE.read_text("utf-8")).render(
        summary=summary,
        language=language,
        say=language.say,
        number_of=language.number,
        share_of=language.share,
        most=MOST_NAMES,
        most_parts=MOST_PARTS,
        shares=SHARE_OF,
        charts=over_time(summary.breakdown.hours, datetime.now().astimezone().tzinfo or UTC),
    )


async def _stage(services: Services, key: StageKey, numbers: StageNumbers) -> StageSummary:
    counts: Counts = await services.recipients.counts(key)
    stories = DeliveryList(services.database)
    groups: list[Group] = []
    for state, kind in _WITHOUT_MAIL.items():
        if counts.of(state):
            groups += _groups(kind, await stories.stories(key.mass_mail_id, key.stage, state, MOST_NAMES), counts)
    return StageSummary(
        name=f"Follow-up {key.stage}" if key.stage else "Mass mail",
        selected=counts.selected,
        sent=counts.of(DeliveryState.SENT),
        numbers=numbers,
        without_mail={kind: counts.of(state) for state, kind in _WITHOUT_MAIL.items() if counts.of(state)},
        groups=groups,
    )


def _groups(kind: str, stories: Sequence[Story], counts: Counts) -> list[Group]:
    by_reason: dict[str, list[Person]] = {}
    for story in stories:
        reason = story.exclusion.words if story.exclusion else story.why
        more = "" if story.why == reason else story.why
        by_reason.setdefault(reason, []).append(Person(story.contact, story.name, more))
    whole = {Exclusion(code).words: number for code, number in counts.excluded.items()}
    return [Group(kind, why, whole.get(why, len(people)), people) for why, people in sorted(by_reason.items())]
