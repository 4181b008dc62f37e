"""Preparing an order before anything is started: names become revisions, mistakes are found, people are counted."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from activities.checks import faulty
from serienmail.domain.delivery import Counts
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.limits import Limits, check_slot
from serienmail.domain.loading import Load, Loaded, first_load
from serienmail.domain.mass_mail import MassMail, OnMissing, check_order
from serienmail.domain.states import MassMailState
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
    now = now or datetime.now(UTC)
    check_order(order, now)
    await check_due(services, order, now)
    services.post_office.account(order.account)
    for rule in order.follow_ups:
        if rule.ignore is not None:
            await services.selections.chosen(rule.ignore)
    load = first_load(order, revision=1)
    fields = await services.contacts.fields((await services.selections.get(order.selection)).module)
    for name in load.templates:
        check_placeholders(await services.templates.get(TemplateRef.parse(name)), fields)
    found = await _dry_run(services, load)
    excluded = order.on_missing is OnMissing.EXCLUDE
    if problem := (Loaded(found.counts) if excluded else found).problem:
        raise InvalidOrder(problem)
    prepared = Prepared(order, _limited(found, services.settings.limits), dict(found.missing))
    if prepared.will_receive == 0:
        raise InvalidOrder("Every recipient lacks a placeholder; give defaults in the template.")
    return prepared


async def check_due(services: Services, order: MassMail, now: datetime) -> None:
    """InvalidOrder if too many other mass mails of its module are due in the same time slot."""
    limits = services.settings.limits
    if limits.mass_mails is None:
        return
    module = (await services.selections.get(order.selection)).module
    others = [
        listed.order
        for listed in await services.mass_mails.all()
        if listed.order.id != order.id and listed.state is not MassMailState.DELETED
    ]
    of_module = [
        other.due for other in others if other.due and (await services.selections.get(other.selection)).module == module
    ]
    check_slot(limits, order.due or now, of_module)


def _limited(found: Loaded, limits: Limits) -> Counts:
    """With those beyond the limit excluded, after those who lack a placeholder."""
    counts = found.counts
    over = counts.will_receive - sum(found.missing.values()) - (limits.recipients or counts.will_receive)
    return replace(counts, excluded={**counts.excluded, Exclusion.OVER_LIMIT.value: over}) if over > 0 else counts


async def _dry_run(services: Services, load: Load) -> Loaded:
    requirements = await services.post_office.requirements(load.templates)
    found = await services.recipients.preview(load, requirements or ())
    if requirements is not None:
        return found
    missing = Counter[str]()
    async for batch in faulty(services.recipients.previewed(load), services.post_office, load.templates):
        missing.update(batch.values())
    return Loaded(found.counts, missing)
