"""Everything of the product that stands behind a client or a worker, built once for each process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from serienmail.domain.suppression import AddressHash
from serienmail.mailing.hooks import Hooks
from serienmail.mailing.links import Links
from serienmail.mailing.machine_list import read_machine_list
from serienmail.mailing.mailbox import MailboxReader
from serienmail.mailing.post import PostOffice
from serienmail.mailing.relay_evidence import RelayEvidence
from serienmail.settings import Settings
from serienmail.storage.activities import ActivityStore
from serienmail.storage.answers import AnswerStore
from serienmail.storage.audit import AuditStore
from serienmail.storage.consent_requests import ConsentRequestStore
from serienmail.storage.contact_actions import ContactActionStore
from serienmail.storage.contacts import ContactStore
from serienmail.storage.copies import CopyStore
from serienmail.storage.database import Database
from serienmail.storage.feedback import FeedbackStore
from serienmail.storage.files import FileStore
from serienmail.storage.filters import FilterStore
from serienmail.storage.ledger import Ledger
from serienmail.storage.limits import LimitStore
from serienmail.storage.loading import RecipientStore
from serienmail.storage.mass_mails import MassMailStore
from serienmail.storage.measured_links import MeasuredLinkStore
from serienmail.storage.migration import require_migrated
from serienmail.storage.persons import PersonStore
from serienmail.storage.selections import SelectionStore
from serienmail.storage.shaping import Shaping
from serienmail.storage.statistics import StatisticsStore
from serienmail.storage.suppressions import SuppressionStore
from serienmail.storage.templates import TemplateStore
from serienmail.storage.triggers import TriggerStore
from serienmail.storage.visits import VisitStore
from serienmail.storage.work_lists import WorkListStore


@dataclass(frozen=True, slots=True)
class Services:
    """The adapters, wired."""

    settings: Settings
    database: Database
    contacts: ContactStore
    templates: TemplateStore
    files: FileStore
    selections: SelectionStore
    filters: FilterStore
    lists: WorkListStore
    mass_mails: MassMailStore
    recipients: RecipientStore
    ledger: Ledger
    copies: CopyStore
    limits: LimitStore
    audit: AuditStore
    suppressions: SuppressionStore
    persons: PersonStore
    consent_requests: ConsentRequestStore
    feedback: FeedbackStore
    mailboxes: MailboxReader
    answers: AnswerStore
    post_office: PostOffice
    evidence: RelayEvidence
    visits: VisitStore
    triggers: TriggerStore
    activities: ActivityStore
    contact_actions: ContactActionStore
    hooks: Hooks
    statistics: StatisticsStore


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """EnvironmentFault if the database isn't there or isn't migrated. Closes connections at the end."""
    database = Database(settings.database_url)
    try:
        await require_migrated(database)
        services = wire(settings, database)
        yield services
        await services.post_office.close()
    finally:
        await database.close()


def wire(settings: Settings, database: Database) -> Services:
    """Build every adapter on this database."""
    key = settings.link_key.get_secret_value().encode()
    links = Links(settings.web_base_url, key)
    address_hash = AddressHash(key)
    limits = {name: account.limits for name, account in settings.accounts.items()}
    time_zones = {name: account.time_zone for name, account in settings.accounts.items()}
    shaping = Shaping(database, limits, settings.known_providers)
    post_office = _post_office(settings, database, links, shaping)
    return Services(
        settings=settings,
        database=database,
        contacts=ContactStore(database, address_hash),
        templates=TemplateStore(database),
        files=FileStore(database),
        selections=SelectionStore(database),
        filters=FilterStore(database),
        lists=WorkListStore(database),
        mass_mails=MassMailStore(database),
        recipients=RecipientStore(database, settings.limits.recipients, time_zones),
        ledger=Ledger(database, post_office.message_id, shaping, settings.limits.recipients),
        copies=CopyStore(database),
        limits=shaping.limits,
        audit=AuditStore(database),
        suppressions=SuppressionStore(database, address_hash),
        persons=PersonStore(database, address_hash),
        consent_requests=ConsentRequestStore(database),
        feedback=FeedbackStore(database, settings.soft_bounces, settings.unmatched_days),
        mailboxes=MailboxReader(settings.mailboxes, links),
        answers=AnswerStore(database, settings.own_addresses),
        post_office=post_office,
        evidence=RelayEvidence(settings.accounts),
        visits=VisitStore(database, read_machine_list(settings.machine_list)),
        triggers=TriggerStore(database),
        activities=ActivityStore(database),
        contact_actions=ContactActionStore(database),
        hooks=Hooks(settings.hooks),
        statistics=StatisticsStore(database, settings.known_providers),
    )


def _post_office(settings: Settings, database: Database, links: Links, shaping: Shaping) -> PostOffice:
    return PostOffice(
        TemplateStore(database),
        settings.accounts,
        links,
        shaping,
        files=FileStore(database),
        settings=settings.mail,
        measured_links=MeasuredLinkStore(database),
    )
