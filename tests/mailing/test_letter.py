"""Letters with files and senders of their own for each recipient."""

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from serienmail.domain.enclosure import Enclosures
from serienmail.domain.errors import PlaceholderMissing, TemplateFault
from serienmail.domain.sender import Sender, Whose
from serienmail.domain.template import Template
from serienmail.mailing.account import Account
from serienmail.mailing.identity import Identity, MailSettings
from serienmail.mailing.letter import LetterBuilder, specimen
from serienmail.mailing.links import Links
from serienmail.mailing.mime import Attachment

LINKS = Links("https://mail.example.com", b"k" * 32)
ACCOUNT = Account(host="x", from_address="news@example.org", permitted=("example.org",))
PEOPLE = {name: Identity(address=f"{name}@example.org", signature_text=f"Yours, {name}") for name in ("anna", "ben")}
ADA = {"key": "K-1", "email": "ada@example.com", "first_name": "Ada", "owner": "anna"}


def builder(template: Template, attachments: list[Attachment] | None = None, **settings: Any) -> LetterBuilder:
    mail = MailSettings(people=PEOPLE, **settings)
    return LetterBuilder(template, ACCOUNT, LINKS, mail, follow_up=False, attachments=attachments or [])


def built(letters: LetterBuilder, contact: dict[str, str]) -> EmailMessage:
    mail = letters.build(specimen(contact, contact["email"], "news@example.org"))
    return message_from_bytes(mail.data, policy=policy.default)


def files_of(message: EmailMessage) -> dict[str | None, bytes]:
    return {part.get_filename(): part.get_content() for part in message.iter_attachments()}


def test_each_contact_hears_from_the_own_owner() -> None:
    letters = builder(Template("x", "x", "Hello", sender=Sender(from_=Whose.OWNER, reply_to=Whose.OWNER)))
    for owner in ("anna", "ben", "anna"):
        message = built(letters, {**ADA, "owner": owner})
        assert message["From"] == f"{owner}@example.org"
        assert f"Yours, {owner}" in message.get_content()
    with pytest.raises(TemplateFault, match="owner has no address"):
        letters.check({**ADA, "owner": "carla"})


def test_a_sender_that_nobody_may_use_stops_everything_at_once() -> None:
    with pytest.raises(TemplateFault, match="doesn't permit"):
        builder(Template("x", "x", "Hello", sender=Sender(from_=Whose.TEMPLATE, own_from="a@b.example")))


def test_each_contact_gets_the_own_file_besides_the_common_one(tmp_path: Path) -> None:
    for key in ("K-1", "K-2"):
        (tmp_path / f"{key}.pdf").write_bytes(key.encode())
    template = Template("x", "x", "Hello", enclosures=Enclosures(personal=("{{ contact.key }}.pdf",)))
    letters = builder(template, [Attachment("common.pdf", "application/pdf", b"common")], personal_files=tmp_path)
    for key in ("K-1", "K-2"):
        letters.check({**ADA, "key": key})
        files = files_of(built(letters, {**ADA, "key": key}))
        assert files == {"common.pdf": b"common", f"{key}.pdf": key.encode()}


def test_a_file_that_vanished_fails_its_recipient_alone(tmp_path: Path) -> None:
    (tmp_path / "K-1.pdf").write_bytes(b"1")
    letters = builder(
        Template("x", "x", "Hello", enclosures=Enclosures(personal=("{{ contact.key }}.pdf",))), personal_files=tmp_path
    )
    letters.check(ADA)
    (tmp_path / "K-1.pdf").unlink()
    for act in (letters.check, lambda contact: built(letters, contact)):
        with pytest.raises(TemplateFault, match="isn't there"):
            act(ADA)


def test_a_link_out_of_the_folder_is_no_personal_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "K-1.pdf").symlink_to(tmp_path / "secret")
    template = Template("x", "x", "Hello", enclosures=Enclosures(personal=("{{ contact.key }}.pdf",)))
    with pytest.raises(TemplateFault, match="isn't there"):
        builder(template, personal_files=tmp_path / "folder").check(ADA)
    with pytest.raises(TemplateFault, match=r"mail\.personal_files"):
        builder(template).check(ADA)


def test_a_whole_encoded_mail_has_a_limit() -> None:
    template = Template("x", "x", "Hello {{ contact.first_name }}")
    size = len(builder(template).build(specimen(ADA, ADA["email"], "news@example.org")).data)
    builder(template, max_message_bytes=size + 10).check(ADA)  # the Message-ID of a specimen differs a little
    with pytest.raises(TemplateFault, match="more than"):
        builder(template, max_message_bytes=size - 10).check(ADA)
    with pytest.raises(TemplateFault, match="more than"):
        builder(template, max_message_bytes=size + 10).check({**ADA, "first_name": "A" * 50})


def test_a_dry_run_finds_the_empty_placeholder() -> None:
    with pytest.raises(PlaceholderMissing, match=r"contact\.first_name"):
        builder(Template("x", "x", "Hello {{ contact.first_name }}")).check({**ADA, "first_name": ""})


def test_only_senders_files_and_sizes_that_differ_ask_for_a_look_at_each_recipient() -> None:
    plain = Template("x", "x", "Hello {{ contact.first_name }}")
    assert builder(plain).template_of_all() is not None
    owned = replace(plain, sender=Sender(from_=Whose.OWNER))
    filed = replace(plain, enclosures=Enclosures(personal=("{{ contact.key }}.pdf",)))
    for letters in (builder(owned), builder(filed), builder(plain, max_message_bytes=1_000_000)):
        assert letters.template_of_all() is None
