"""The post office: takes claimed recipients, builds their mails and hands them over."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from serienmail.domain.delivery import Answer, Claimed, Verdict
from serienmail.domain.errors import NotFound, TemplateFault
from serienmail.domain.requirement import Requirement
from serienmail.domain.sending_limits import SendingLimits
from serienmail.domain.template import Template, TemplateRef
from serienmail.mailing.account import Account
from serienmail.mailing.builder import MailBuilder as JinjaMailBuilder
from serienmail.mailing.builder import display_name, render
from serienmail.mailing.consent_mail import ConsentMailBuilder
from serienmail.mailing.line import Connections, Line, MailTransport
from serienmail.mailing.links import Links, MailRef
from serienmail.mailing.message import Mail, Mailbox, check_one_line
from serienmail.mailing.replies import InDoubt, answer
from serienmail.mailing.requirements import requirements
from serienmail.mailing.smtp import SmtpTransport
from serienmail.mailing.template import compile_template

log = logging.getLogger(__name__)


class TemplateSource(Protocol):
    """Where template revisions come from."""

    async def get(self, ref: TemplateRef) -> Template:
        """One revision; NotFound if there is none."""


class MailBuilder(Protocol):
    """Builds the mails of one stage."""

    def build(self, claimed: Claimed) -> Mail:
        """The mail for this recipient; TemplateFault if there can be none."""


class Post:
    """One stage's mails on one account. slots: take one before claiming and delivering, a connection is free then."""

    def __init__(self, builder: MailBuilder, line: Line) -> None:
        self.slots = line.slots
        self.connections = max(1, line.limits().connections or 1)
        self._builder = builder
        self._line = line

    def in_use(self) -> AbstractAsyncContextManager[None]:
        """While it sends, other processes leave this one its part of the connections."""
        return self._line.in_use()

    async def deliver(self, claimed: Claimed) -> Answer:
        """Build the mail and hand it over; TransportFailure if the server can't be reached or refuses the account.

        A mail that can't be built is this recipient's misfortune alone, whatever the exception.
        """
        try:
            mail = self._builder.build(claimed)
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
    ) -> None:
        self._templates = templates
        self._accounts = accounts
        self._links = links
        self._connections = connections or _Alone(accounts)
        self._transport = transport
        self._lines: dict[str, Line] = {}
        self._builders: dict[tuple[str, str, bool], MailBuilder] = {}

    async def post(self, template: str, account: str, follow_up: bool) -> Post:
        """For one stage; NotFound for an unknown template or account."""
        sender = self.account(account)
        builder = self._builders.get((template, account, follow_up))
        if builder is None:
            found = await self._templates.get(TemplateRef.parse(template))
            builder = JinjaMailBuilder(found, sender, self._links, follow_up=follow_up)
            self._builders[template, account, follow_up] = builder
        return await self._post(builder, account, sender)

    async def consent_post(self, template: str, account: str) -> Post:
        """For requests for consent; NotFound for an unknown template or account."""
        sender = self.account(account)
        found = await self._templates.get(TemplateRef.parse(template))
        return await self._post(ConsentMailBuilder(found, sender, self._links), account, sender)

    async def _post(self, builder: MailBuilder, account: str, sender: Account) -> Post:
        if account not in self._lines:
            self._lines[account] = Line(account, sender, self._connections, self._transport)
        line = self._lines[account]
        await line.prepare()
        return Post(builder, line)

    async def check(self, template: str) -> Callable[[Mapping[str, Any]], None]:
        """A dry run: called with a contact's merge fields, it raises PlaceholderMissing if one is empty."""
        compiled = compile_template(await self._templates.get(TemplateRef.parse(template)))
        nowhere = self._links.unsubscribe_url(MailRef(0, 0, 0))

        def run(contact: Mapping[str, Any]) -> None:
            check_one_line("To", display_name(contact))
            render(compiled, contact, unsubscribe_url=nowhere)

        return run

    async def requirements(self, templates: Sequence[str]) -> Sequence[Requirement] | None:
        """What all of them ask of a contact; None if only dry runs can tell."""
        found = [await self._templates.get(TemplateRef.parse(name)) for name in templates]
        return requirements([compile_template(template) for template in found])

    def account(self, name: str) -> Account:
        """The sending account of this name; NotFound names those there are."""
        if name not in self._accounts:
            known = ", ".join(sorted(self._accounts)) or "none is configured"
            raise NotFound(f"There is no sending account '{name}'; choose one of: {known}.")
        return self._accounts[name]

    def message_id(self, account: str, number: int, stage: int, seq: int) -> str:
        """The Message-ID of this mail, always the same one."""
        domain = Mailbox.of(self.account(account).from_address).domain
        return self._links.message_id(MailRef(number, stage, seq), domain)

    async def close(self) -> None:
        """End all connections; nothing may be in hand any more."""
        for line in self._lines.values():
            await line.transport.close()


class _Alone:
    """All connections are this process's."""

    def __init__(self, accounts: Mapping[str, Account]) -> None:
        self._accounts = accounts

    async def renew(self, account: str) -> None:
        """There is nobody to tell."""

    def own_limits(self, account: str) -> SendingLimits:
        """All."""
        return self._accounts[account].limits


def _which(claimed: Claimed) -> tuple[str, int, int]:
    return claimed.key.mass_mail_id, claimed.key.stage, claimed.seq
