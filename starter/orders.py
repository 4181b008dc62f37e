"""Preparing an order before anything is started: names become revisions, mistakes are found, people are counted."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from activities.checks import by_placeholder, unfilled
from serienmail.domain.delivery import Counts
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.loading import Load, Loaded, first_load
from serienmail.domain.mass_mail import MassMail, OnMissing, check_order
from serienmail.domain.template import TemplateRef
from serienmail.mailing.template import check_placeholders
from starter.services import Services


@dataclass(frozen=True, slots=True)
class Prepared:
    """An order that can be started.

    order: with template revisions. counts: whom it would go to now. missing: how many recipients lack a placeholder;
    these are excluded if the order says so, else it can't be started.
    """

    order: MassMail
    counts: Counts
    missing: dict[str, int]

    @property
    def will_receive(self) -> int:
        """How many would get it if it were sent now."""
        return self.counts.will_receive - sum(self.missing.values())


async def pinned(services: Services, order: MassMail) -> MassMail:
    """The order with the newest revision wherever it names a template only; NotFound for an unknown one."""
    follow_ups = tuple(
        [
            replace(rule, template=str(await services.templates.newest(rule.template)))
            for rule in order.follow_ups
        ]
    )
    return replace(order, template=str(await services.templates.newest(order.template)), follow_ups=follow_ups)


async def prepare(services: Services, order: MassMail, now: datetime | None = None) -> Prepared:
    """Check all that can be checked before the start; InvalidOrder, NotFound or TemplateFault says what to do."""
    order = await pinned(services, order)
    check_order(order, now or datetime.now(UTC))
    services.post_office.account(order.account)
    for rule in order.follow_ups:
        if rule.ignore is not None:
            await services.selections.chosen(rule.ignore)
    load = first_load(order, revision=1)
    fields = await services.contacts.fields((await services.selections.get(order.selection)).module)
    for name in load.templates:
        check_placeholders(await services.templates.get(TemplateRef.parse(name)), fields)
    counts, missing = await _counted(services, load)
    excluded = order.on_missing is OnMissing.EXCLUDE
    if problem := Loaded(counts, {} if excluded else missing).problem:
        raise InvalidOrder(problem)
    prepared = Prepared(order, counts, missing)
    if prepared.will_receive == 0:
        raise InvalidOrder("Every recipient lacks a placeholder; give defaults in the template.")
    return prepared


async def _counted(services: Services, load: Load) -> tuple[Counts, dict[str, int]]:
    counts = await services.recipients.preview(load)
    missing = await unfilled(services.recipients.previewed(load), services.post_office, load.templates)
    return counts, by_placeholder(missing)
