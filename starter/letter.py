"""What an order changes in its templates, for this one mass mail: a version of its own, the library stays as it is."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from serienmail.domain.commands import Edit
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.mass_mail import MassMail
from serienmail.domain.sender import Sender, Whose
from serienmail.domain.template import Template
from serienmail.mailing.template import compile_template
from starter.bodies import KEYS as BODY_KEYS
from starter.bodies import Bodies, read_bodies
from starter.enclosing import KEYS as FILE_KEYS
from starter.enclosing import ReadFiles, read_files
from starter.orders import sendable
from starter.problems import Problems, all_at_once
from starter.services import Services
from starter.toml_file import Table

KEYS = ("subject", "from", "reply_to", "from_name", *BODY_KEYS, *FILE_KEYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """None: as the template has it. from_, reply_to, from_name are the follow-ups' too."""

    subject: str | None = None
    bodies: Bodies = field(default_factory=Bodies)
    files: ReadFiles | None = None
    from_: Whose = Whose.OWN
    reply_to: Whose = Whose.OWN
    from_name: str | None = None

    def apply(self, template: Template) -> Template:
        """The template with these words and files in place of its own."""
        changed = replace(self.bodies.apply(template), subject=self.subject or template.subject)
        return replace(changed, enclosures=self.files.enclosures) if self.files else changed

    def sent_by(self, template: Template, user: str) -> Template:
        """The template from whom the order says. user: whose address is the own one; empty if none is known."""
        own = template.sender
        if Whose.TEMPLATE in (self.from_, self.reply_to) and not own.own_from:
            raise InvalidOrder(f"The template '{template.name}' brings no addresses; choose another sender than it.")
        known = {whose: whose if user or whose is not Whose.OWN else Whose.COMPANY for whose in Whose}
        by = user if Whose.OWN in (self.from_, self.reply_to) else ""
        name = self.from_name or own.name
        sender = replace(own, from_=known[self.from_], reply_to=known[self.reply_to], user=by, name=name)
        return replace(template, sender=sender)


def read_letter(table: Table, folder: Path) -> Letter:
    """The part of an order that KEYS describe; files are relative to the folder."""
    return Letter(
        subject=table.text("subject"),
        bodies=read_bodies(table),
        files=read_files(table, folder),
        from_=table.choice("from", Whose) or Whose.OWN,
        reply_to=table.choice("reply_to", Whose) or Whose.OWN,
        from_name=table.text("from_name"),
    )


async def compose(
    services: Services, order: MassMail, letter: Letter | None = None, problems: Problems | None = None
) -> MassMail:
    """The order with templates that say what the letter says. Versions of its own are stored where they differ.

    letter: None: what one says that says nothing; templates that were composed already stay as they are.
    problems: to which its refusals are added; what is refused stays as it was.
    """
    said, user = letter or Letter(), sender_known(services, order.created_by)

    async def version(name: str, *, first: bool) -> str:
        ref = await sendable(services, name)
        if letter is None and ref.is_of_one_mass_mail:
            return name
        template = await services.templates.get(ref)
        changed = said.sent_by(said.apply(template) if first else template, user)
        if changed == template and not user:  # a known user's is stored in any case: it was composed, then
            return name
        compile_template(changed)
        own = replace(changed, name=ref.version_for(order.id))
        return str(await services.templates.add(own, datetime.now(UTC)))

    template, rules = order.template, list(order.follow_ups)
    with all_at_once(problems) as wrong:
        with wrong.noted():
            if said.files:
                await said.files.store(services, (await services.selections.get(order.selection)).module)
            template = await version(order.template, first=True)
        for number, rule in enumerate(order.follow_ups):
            with wrong.noted():
                rules[number] = replace(rule, template=await version(rule.template, first=False))
    return replace(order, template=template, follow_ups=tuple(rules))


def sender_known(services: Services, user: str) -> str:
    """The user, if mails can be from the own address; else nobody."""
    return user if user in services.settings.mail.people else ""


async def from_the_same_sender(services: Services, order: MassMail, edit: Edit) -> Edit:
    """The edit with its templates from whom the order's are from; those composed already stay as they are."""
    before = (await services.templates.get(await services.templates.newest(order.template))).sender
    letter = Letter(from_=before.from_, reply_to=before.reply_to, from_name=before.name or None)

    async def composed(name: str) -> str:
        if (await sendable(services, name)).is_of_one_mass_mail:
            return name
        return (await compose(services, replace(order, template=name, follow_ups=()), letter)).template

    rules = edit.follow_ups and tuple(
        [replace(rule, template=await composed(rule.template)) for rule in edit.follow_ups]
    )
    return replace(edit, template=edit.template and await composed(edit.template), follow_ups=rules)


def sender_of_template(table: Table) -> Sender:
    """A template's own addresses; InvalidOrder if it brings only one of the two."""
    own_from, reply_to, name = table.text("from_address"), table.text("reply_to"), table.text("from_name")
    if (own_from is None) != (reply_to is None):
        raise InvalidOrder("A template brings both addresses or none; write from_address and reply_to, or neither.")
    return Sender(own_from=own_from or "", own_reply_to=reply_to or "", name=name or "")
