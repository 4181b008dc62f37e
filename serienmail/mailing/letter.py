"""Everything one stage's mails are made of: template, sender and enclosures, some of them each recipient's own."""

import mimetypes
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import make_msgid
from pathlib import Path
from typing import Any

from serienmail.domain.delivery import Claimed, StageKey
from serienmail.domain.enclosure import encoded_size, personal_path
from serienmail.domain.errors import TemplateFault
from serienmail.domain.template import Template
from serienmail.mailing.account import Account
from serienmail.mailing.builder import MailBuilder
from serienmail.mailing.identity import MailSettings
from serienmail.mailing.letterhead import Letterhead
from serienmail.mailing.links import Links
from serienmail.mailing.message import Mail
from serienmail.mailing.mime import Attachment, InlineImage
from serienmail.mailing.template import CompiledTemplate

NO_NUMBER = 0
"""Mass mails are numbered from 1, so no link with this number is ever found."""


class LetterBuilder:
    """Builds the mails of one stage."""

    def __init__(
        self,
        template: Template,
        account: Account,
        links: Links,
        settings: MailSettings,
        *,
        follow_up: bool,
        attachments: Sequence[Attachment | InlineImage] = (),
        measured_links: Mapping[str, int] | None = None,
    ) -> None:
        self._template, self._account, self._links, self._settings = template, account, links, settings
        self._follow_up, self._attachments, self._measured_links = follow_up, attachments, measured_links
        self._builders: dict[str, MailBuilder] = {}
        if not template.sender.differs_by_recipient:
            self._builder_for({})  # what is wrong with it is wrong for all

    def build(self, claimed: Claimed) -> Mail:
        """The mail for this recipient; TemplateFault if there can be none, or it would be too large."""
        personal = [self._read(pattern, claimed.contact) for pattern in self._template.enclosures.personal]
        mail = self._builder_for(claimed.contact).build(claimed, personal)
        if len(mail.data) > self._settings.max_message_bytes:
            raise TemplateFault(
                f"the mail would have more than {self._settings.max_message_bytes:,} bytes; attach less, or link to it."
            )
        return mail

    def check(self, contact: Mapping[str, Any]) -> None:
        """A dry run; raises what ``build`` would."""
        most = self._builder_for(contact).dry_run(contact)
        for pattern in self._template.enclosures.personal:
            most += encoded_size(self._personal_file(pattern, contact).stat().st_size) + _PART_HEADERS
        if most > self._settings.max_message_bytes:  # perhaps: only building tells
            self.build(specimen(contact, contact["email"], self._account.from_address))

    def template_of_all(self) -> CompiledTemplate | None:
        """What every mail is made of; None if it takes more than filling that in to know whether there can be one."""
        if self._template.sender.differs_by_recipient or self._template.enclosures.personal:
            return None
        builder = self._builder_for({})
        near_the_limit = builder.size + _FILLED_IN > self._settings.max_message_bytes
        return None if near_the_limit else builder.template

    @property
    def answers_to(self) -> str | None:
        """The address that recipients answer to; None if it isn't the same for all."""
        return None if self._template.sender.differs_by_recipient else self._builder_for({}).answers_to

    def _builder_for(self, contact: Mapping[str, Any]) -> MailBuilder:
        sender = self._template.sender
        owner = str(contact.get("owner") or "") if sender.differs_by_recipient else ""
        if owner not in self._builders:
            self._builders[owner] = MailBuilder(
                self._template,
                self._account,
                self._links,
                follow_up=self._follow_up,
                attachments=self._attachments,
                measured_links=self._measured_links,
                letterhead=Letterhead.of(self._account, sender, self._settings.people, owner),
            )
        return self._builders[owner]

    def _read(self, pattern: str, contact: Mapping[str, Any]) -> Attachment:
        file = self._personal_file(pattern, contact)
        try:
            return Attachment(file.name, content_type(file.name), file.read_bytes())
        except OSError:
            raise TemplateFault(_NO_FILE) from None

    def _personal_file(self, pattern: str, contact: Mapping[str, Any]) -> Path:
        """The recipient's own file; TemplateFault if it isn't there, or lies outside the folder for such files."""
        folder = self._settings.personal_files
        if folder is None:
            raise TemplateFault("personal attachments need a folder; set mail.personal_files in the settings.")
        file = (folder / personal_path(pattern, contact)).resolve()
        if not (file.is_relative_to(folder.resolve()) and file.is_file()):
            raise TemplateFault(_NO_FILE)
        return file


_NO_FILE = "the personal attachment isn't there; put the file into its folder, or leave the recipient out."
_PART_HEADERS = 1_024
_FILLED_IN = 1_048_576  # bytes of what stands in placeholders; more isn't foreseen, and fails when it is built


def content_type(file_name: str) -> str:
    """What kind of file it is, by its name; messages count as data, since they can't be sent in base64."""
    guessed, encoding = mimetypes.guess_type(file_name)
    plain = guessed and not encoding and not guessed.startswith(("message/", "multipart/"))
    return guessed if guessed and plain else "application/octet-stream"


def specimen(contact: Mapping[str, Any], address: str, sender: str) -> Claimed:
    """A recipient that stands in no ledger. Its Message-ID is a new one each time, else inboxes drop the second."""
    return Claimed(
        key=StageKey("preview", 0),
        seq=0,
        token="0" * 32,
        number=NO_NUMBER,
        address=address,
        contact=contact,
        tracked=False,
        message_id=make_msgid(domain=sender.rpartition("@")[2].encode("idna").decode()),
        dated_at=datetime.now(UTC),
    )
