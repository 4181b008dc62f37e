"""The post office: takes claimed recipients, builds their mails and hands them over."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import lru_cache
from typing import Any, Protocol

from serienmail.domain.delivery import Answer, Claimed, Verdict
from serienmail.domain.division import Share
from serienmail.domain.enclosure import Enclosed
from serienmail.domain.errors import NotFound, PlaceholderMissing, ServerUnreachable, TemplateFault
from serienmail.domain.notice import Notice
from serienmail.domain.requirement import Requirement
from serienmail.domain.sending_limits import SendingLimits
from serienmail.domain.template import Template, TemplateRef
from serienmail.mailing.account import Account
from serienmail.mailing.answer_mail import AnswerMailBuilder
from serienmail.mailing.consent_mail import ConsentMailBuilder
from serienmail.mailing.identity import MailSettings
from serienmail.mailing.letter import LetterBuilder, specimen
from serienmail.mailing.line import Connections, Line, MailTransport
from serienmail.mailing.links import Links, MailRef
from serienmail.mailing.measured_links import targets
from serienmail.mailing.message import Mail, Mailbox
from serienmail.mailing.mime import Attachment, InlineImage
from serienmail.mailing.notice_mail import NoticeMailBuilder
from serienmail.mailing.replies import InDoubt, answer
from serienmail.mailing.requirements import requirements
from serienmail.mailing.smtp import SmtpTransport

log = logging.getLogger(__name__)
COPY_MARK = "[Copy] "
_COPIES = "copies"  # their turn among the mass mails of the account
_SLOT_WITHIN = 60.0  # seconds
_COMPILED = 16  # stages; each holds its attachments
_NO_ADDRESS = "this employee has no address in mail.people"


class TemplateSource(Protocol):
    """Where template revisions come from."""

    async def get(self, ref: TemplateRef) -> Template:
        """One revision; NotFound if there is none."""


class FileSource(Protocol):
    """Where the contents of attachments and images come from."""

    async def content(self, file_id: str) -> bytes:
        """What was saved; NotFound if there is nothing of this id."""


class MeasuredLinks(Protocol):
    """Where the targets of measured links are kept."""

    async def ids(self, template: TemplateRef, urls: Sequence[str]) -> Mapping[str, int]:
        """An id for each target in this revision, the same each time."""


class MailBuilder(Protocol):
    """Builds the mails of one stage."""

    def build(self, claimed: Claimed) -> Mail:
        """The mail for this recipient; TemplateFault if there can be none."""


class Post:
    """One stage's mails on one account. slots: take one before claiming and delivering, a connection is free then."""

    def __init__(self, builder: MailBuilder, line: Line) -> None:
        self.slots = line.slots
        self._builder = builder
        self._line = line

    @property
    def connections(self) -> int:
        """The account's, of all processes together; known while it is in use."""
        return self._line.connections

    def in_use(self, mass_mail: str) -> AbstractAsyncContextManager[None]:
        """While it sends this mass mail, other processes leave this one its part of the connections."""
        return self._line.in_use(mass_mail)

    async def deliver(self, claimed: Claimed) -> Answer:
        """Build the mail and hand it over; TransportFailure if the server can't be reached or refuses the account.

        A mail that can't be built is this recipient's misfortune alone, whatever the exception.
        """
        try:
            mail = self._builder.build(claimed)
        except PlaceholderMissing as fault:
            return Answer(Verdict.UNFILLED, str(fault))
        except TemplateFault as fault:
            return Answer(Verdict.FAILED, str(fault))
        except Exception:
            log.exception("a mail could not be built: %s, stage %s, seq %s", *_which(claimed))
            return Answer(Verdict.FAILED, "the mail could not be built; the worker's log has the details")
        reply = await self._line.transport.send(mail, deadline=claimed.hand_over_by)
        if isinstance(reply, InDoubt):
            return Answer(Verdict.IN_DOUBT)
        return answer(reply)


class PostOffice:
    """One for each process: accounts with their connections, templates compiled once.

    connections: how they are divided among processes; None: there is no other process.
    """

    def __init__(
        self,
        templates: TemplateSource,
        accounts: Mapping[str, Account],
        links: Links,
        connections: Connections | None = None,
        transport: Callable[[Account, Callable[[], SendingLimits]], MailTransport] = SmtpTransport,
        *,
        files: FileSource | None = None,
        settings: MailSettings | None = None,
        measured_links: MeasuredLinks | None = None,
    ) -> None:
        """measured_links: None measures no clicks, as in test mails."""
        self._templates = templates
        self._files = files or _NoFiles()
        self._settings = settings or MailSettings()
        self._accounts = accounts
        self._links = links
        self._connections = connections or _Alone(accounts)
        self._transport = transport
        self._measured_links = measured_links
        self._lines: dict[str, Line] = {}
        self._builders: dict[tuple[str, str, bool, str], MailBuilder] = {}
        self._compiling = asyncio.Lock()

    async def post(self, template: str, account: str, follow_up: bool, mark: str = "") -> Post:
        """For one stage; NotFound for an unknown template or account. mark: stands before each subject."""
        async with self._compiling:  # 20 slices begin at once: each would compile it for itself
            stage = template, account, follow_up, mark
            builder = self._builders.pop(stage, None) or await self._compiled(*stage)
            self._builders[stage] = builder  # the one used last stands last
            if len(self._builders) > _COMPILED:
                del self._builders[next(iter(self._builders))]
        return await self.post_with(builder, account)

    async def _compiled(self, template: str, account: str, follow_up: bool, mark: str) -> MailBuilder:
        found = await self._templates.get(TemplateRef.parse(template))
        ids = await self._measured_links.ids(found.ref, targets(found)) if self._measured_links else {}
        marked = replace(found, subject=mark + found.subject)
        return await self.builder(marked, account, follow_up=follow_up, measured_links=ids)

    async def consent_post(self, template: str, account: str) -> Post:
        """For requests for consent; NotFound for an unknown template or account."""
        found = await self._templates.get(TemplateRef.parse(template))
        return await self.post_with(ConsentMailBuilder(found, self.account(account), self._links), account)

    async def answer_post(self, template: str, account: str, replied_to: str) -> Post:
        """For one automatic answer; NotFound for an unknown template or account. replied_to: a Message-ID."""
        found = await self._templates.get(TemplateRef.parse(template))
        return await self.post_with(AnswerMailBuilder(found, self.account(account), self._links, replied_to), account)

    async def post_with(self, builder: MailBuilder, account: str) -> Post:
        """On an account, with this builder; NotFound for an unknown account."""
        sender = self.account(account)
        if account not in self._lines:
            self._lines[account] = Line(account, sender, self._connections, self._transport)
        return Post(builder, self._lines[account])

    async def send_copy(self, template: str, account: str, user: str, contact: Mapping[str, Any]) -> Answer:
        """A copy of this contact's mail to an employee, marked as one; its links lead nowhere."""
        if user not in self._settings.people:
            return Answer(Verdict.FAILED, _NO_ADDRESS)
        post = await self.post(template, account, follow_up=False, mark=COPY_MARK)
        return await self._send_to(user, post, account, contact)

    async def send_notice(self, account: str, user: str, notice: Notice) -> Answer:
        """A notice to an employee; TransportFailure if the server can't be had."""
        if user not in self._settings.people:
            return Answer(Verdict.FAILED, _NO_ADDRESS)
        post = await self.post_with(NoticeMailBuilder(notice, self.account(account)), account)
        return await self._send_to(user, post, account, {})

    async def _send_to(self, user: str, post: Post, account: str, contact: Mapping[str, Any]) -> Answer:
        """When it is its turn among the mass mails of the account."""
        address = self._settings.people[user].address
        async with post.in_use(_COPIES):
            try:
                async with asyncio.timeout(_SLOT_WITHIN):
                    await post.slots.take(_COPIES)
            except TimeoutError:
                raise ServerUnreachable("all connections of the account are in use; it will be tried again.") from None
            try:
                return await post.deliver(specimen(contact, address, self.account(account).from_address))
            finally:
                post.slots.give_back()

    async def check(self, template: str, account: str) -> Callable[[Mapping[str, Any]], None]:
        """A dry run: called with a contact's merge fields, it raises PlaceholderMissing if one is empty, or another
        TemplateFault that this contact's mail would have.
        """
        return (await self._letter(template, account)).check

    async def requirements(self, templates: Sequence[str], account: str) -> Sequence[Requirement] | None:
        """What all of them ask of a contact; None if only dry runs can tell."""
        made_of = [(await self._letter(name, account)).template_of_all() for name in templates]
        same_for_all = [template for template in made_of if template]
        return requirements(same_for_all) if len(same_for_all) == len(made_of) else None

    async def _letter(self, template: str, account: str) -> LetterBuilder:
        return await self.builder(await self._templates.get(TemplateRef.parse(template)), account, follow_up=False)

    async def builder(
        self,
        template: Template,
        account: str,
        *,
        follow_up: bool,
        files: FileSource | None = None,
        measured_links: Mapping[str, int] | None = None,
    ) -> LetterBuilder:
        """Builds a template's mails; TemplateFault if none can be built, NotFound for an unknown account.

        files: in place of the stored ones. measured_links: ids by target; without them no clicks are measured.
        """
        source = files or self._files
        return LetterBuilder(
            template,
            self.account(account),
            self._links,
            self._settings,
            follow_up=follow_up,
            attachments=[_part(file, await source.content(file.id)) for file in template.enclosures.files],
            measured_links=measured_links,
        )

    def account(self, name: str) -> Account:
        """The sending account of this name; NotFound names those there are."""
        if name not in self._accounts:
            known = ", ".join(sorted(self._accounts)) or "none is configured"
            raise NotFound(f"There is no sending account '{name}'; choose one of: {known}.")
        return self._accounts[name]

    def message_id(self, account: str, number: int, stage: int, seq: int) -> str:
        """The Message-ID of this mail, always the same one."""
        return self._links.message_id(MailRef(number, stage, seq), _domain(self.account(account).from_address))

    async def close(self) -> None:
        """End all connections; nothing may be in hand any more."""
        for line in self._lines.values():
            await line.close()


class _Alone:
    """All connections are this process's."""

    def __init__(self, accounts: Mapping[str, Account]) -> None:
        self._accounts = accounts

    async def renew(self, account: str, mass_mails: Collection[str]) -> Share:
        """All."""
        limits = self._accounts[account].limits
        return Share(limits, limits.connections or 1)


@lru_cache(maxsize=64)  # one for each account; each claimed mail asks
def _domain(address: str) -> str:
    return Mailbox.of(address).domain


def _which(claimed: Claimed) -> tuple[str, int, int]:
    return claimed.key.mass_mail_id, claimed.key.stage, claimed.seq


def _part(file: Enclosed, content: bytes) -> Attachment | InlineImage:
    if file.content_id:
        return InlineImage(file.content_id, file.content_type, content)
    return Attachment(file.name, file.content_type, content)


class _NoFiles:
    async def content(self, file_id: str) -> bytes:
        raise NotFound("This post office has no files; give it those that templates enclose.")
