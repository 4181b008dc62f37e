"""Preparing an order before anything is started: names become revisions, mistakes are found, people are counted."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain

from activities.checks import faulty
from serienmail.domain.contact import FieldType
from serienmail.domain.crm_record import CrmRecord, proposed_subject
from serienmail.domain.delivery import Counts
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.limits import Limits, check_slot
from serienmail.domain.loading import Load, Loaded, first_load
from serienmail.domain.local_time import passed
from serienmail.domain.mailbox import check_answers_are_read
from serienmail.domain.mass_mail import MassMail, OnMissing, check_order
from serienmail.domain.states import MassMailState
from serienmail.domain.template import Template, TemplateRef
from serienmail.mailing.template import check_placeholders
from starter.problems import Problems, all_at_once
from starter.services import Services
from starter.triggers import check_installed


@dataclass(frozen=True, slots=True)
class Prepared:
    """An order that can be started.

    order: with template revisions. counts: whom it would go to now. missing: how many recipients lack which
    placeholder; these are excluded if the order says so, else it can't be started. faulty: how many people that are.
    zones: how many live in which time zone, if each gets it at the local time.
    """

    order: MassMail
    counts: Counts
    missing: dict[str, int]
    zones: Mapping[str, int] = field(default_factory=dict)
    faulty: int = 0

    @property
    def will_receive(self) -> int:
        """How many would get it if it were sent now."""
        return self.counts.will_receive - self.faulty

    @property
    def opted_out(self) -> int:
        """How many of those selected get none, whatever is ordered: they unsubscribed, bounced or complained."""
        return sum(self.counts.excluded.get(reason, 0) for reason in (Exclusion.UNSUBSCRIBED, Exclusion.SUPPRESSED))


async def pinned(services: Services, order: MassMail, problems: Problems | None = None) -> MassMail:
    """The order with the newest revision wherever it names a template only; NotFound for an unknown one."""
    with all_at_once(problems) as wrong:

        async def revision(name: str) -> str:
            with wrong.noted():
                return str(await sendable(services, name))
            return name if "@" in name else str(TemplateRef(name, 1))  # the first one that could be meant

        rules = [replace(rule, template=await revision(rule.template)) for rule in order.follow_ups]
        template, crm = await revision(order.template), order.crm
        answer = await revision(order.auto_answer) if order.auto_answer else ""
        with wrong.noted():
            crm = await _with_subject(services, order.crm, template)
    return replace(order, template=template, follow_ups=tuple(rules), crm=crm, auto_answer=answer)


async def _with_subject(services: Services, record: CrmRecord, template: str) -> CrmRecord:
    """The CRM's record with the subject that the mail suggests, if it has none of its own."""
    if not record.is_kept or record.subject:
        return record
    mail = await services.templates.get(TemplateRef.parse(template))
    return replace(record, subject=proposed_subject(mail.subject))


async def sendable(services: Services, name: str) -> TemplateRef:
    """The revision that a name or ``name@revision`` means; InvalidOrder if it is a draft, NotFound if there is none."""
    ref = await services.templates.newest(name)
    if ref.is_draft:
        raise InvalidOrder(f"'{ref}' is a draft; make it a revision with 'serienmail template publish {ref.name}'.")
    return ref


async def prepare(
    services: Services, order: MassMail, now: datetime | None = None, problems: Problems | None = None
) -> Prepared:
    """Check all that can be checked before the start, and say at once all that is wrong.

    InvalidOrder, NotFound or TemplateFault says what to do; ChecksFailed if there is more than one thing.
    problems: found before, to which these are added; nobody is counted then.
    """
    now = now or datetime.now(UTC)
    with all_at_once(problems) as wrong:
        countable = not wrong
        order = await pinned(services, order, wrong)
        with wrong.noted():
            check_order(order, now)
        with wrong.noted():
            await check_due(services, order, now)
        with wrong.noted():
            await check_installed(services, order)
        for named in (order.crm.linked, *(rule.ignore for rule in order.follow_ups)):
            if named is not None:
                with wrong.noted():
                    await services.selections.chosen(named)
        prepared = Prepared(order, Counts(), {})
        # else every recipient would be found wanting
        if await _can_be_written(services, order, wrong) and countable:
            with wrong.noted():
                prepared = await _judged(services, order, now)
    return prepared


async def _can_be_written(services: Services, order: MassMail, problems: Problems) -> bool:
    """Whether account, templates and senders are right by themselves."""
    before = len(problems)
    with problems.noted():
        services.post_office.account(order.account)
    for ordered, what in ((order.copies, "copy"), (order.notify, "notice")):
        with problems.noted():
            if ordered and order.created_by not in services.settings.mail.people:
                raise InvalidOrder(f"Your {what} has no address to go to; add yourself to mail.people in the settings.")
    with problems.noted():
        fields = await services.contacts.fields((await services.selections.get(order.selection)).module)
        for name in dict.fromkeys(first_load(order, revision=1).templates):
            with problems.noted():
                await _check_template(services, order, await services.templates.get(TemplateRef.parse(name)), fields)
        if order.auto_answer:
            with problems.noted():
                answer = await services.templates.get(TemplateRef.parse(order.auto_answer))
                check_placeholders(answer, fields)
    return len(problems) == before


async def _check_template(
    services: Services, order: MassMail, template: Template, fields: Mapping[str, FieldType]
) -> None:
    check_placeholders(template, fields)
    builder = await services.post_office.builder(template, order.account, follow_up=False)
    if order.stop_on_reply or order.auto_answer:
        read = [mailbox.address for mailbox in services.settings.mailboxes.values()]
        check_answers_are_read(builder.answers_to, read)


async def _judged(services: Services, order: MassMail, now: datetime) -> Prepared:
    """Whom it would go to; InvalidOrder if that must not be."""
    load = first_load(order, revision=1)
    found = await _dry_run(services, load)
    zones = await check_local_time(services, order, now)
    excluded = order.on_missing is OnMissing.EXCLUDE
    if problem := (Loaded(found.counts) if excluded else found).problem:
        raise InvalidOrder(problem)
    prepared = Prepared(order, _limited(found, services.settings.limits), dict(found.missing), zones, found.faulty)
    if prepared.will_receive == 0:
        raise InvalidOrder("Every recipient lacks a placeholder; give defaults in the template.")
    return prepared


async def check_local_time(services: Services, order: MassMail, now: datetime) -> Mapping[str, int]:
    """How many live in which time zone, if each gets it at the local time; InvalidOrder if that has passed for one."""
    if not order.local_time:
        return {}
    zones = await services.recipients.zones(first_load(order, revision=1))
    home = services.settings.accounts[order.account].time_zone
    if order.due and (late := passed(zones, order.due, now, home)):
        raise InvalidOrder(f"It is later than {order.due:%H:%M} for {late} recipients already; give a later time.")
    return zones


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
    over = counts.will_receive - found.faulty - (limits.recipients or counts.will_receive)
    return replace(counts, excluded={**counts.excluded, Exclusion.OVER_LIMIT.value: over}) if over > 0 else counts


async def _dry_run(services: Services, load: Load) -> Loaded:
    requirements = await services.post_office.requirements(load.templates, load.account)
    found = await services.recipients.preview(load, requirements or ())
    if requirements is not None:
        return found
    missing, number = Counter[str](), 0
    people = services.recipients.previewed(load)
    async for batch in faulty(people, services.post_office, load.templates, load.account):
        missing.update(chain.from_iterable(batch.values()))
        number += len(batch)
    return Loaded(found.counts, missing, number)
