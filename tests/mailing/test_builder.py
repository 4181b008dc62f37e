"""Whole mails, built from a claimed row and read back."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from serienmail.domain.delivery import Claimed, StageKey
from serienmail.domain.errors import TemplateFault
from serienmail.domain.template import Template
from serienmail.mailing.account import Account
from serienmail.mailing.builder import MailBuilder
from serienmail.mailing.dkim import DkimKey
from serienmail.mailing.links import LinkKind, Links, MailRef
from serienmail.mailing.message import Mail
from serienmail.mailing.mime import Attachment

LINKS = Links("https://mail.example.com", b"k" * 32)
REF = MailRef(number=7, stage=1, seq=42)
URL = LINKS.unsubscribe_url(REF)
ACCOUNT = Account(
    host="localhost", from_address="crm@müller.example", from_name="Müller & Söhne", reply_to="a@b.example"
)
CONTACT = {"salutation": "Frau", "title": "Dr.", "first_name": "Änne", "last_name": "Weiß", "language": "de", "x": None}
TEMPLATE = Template(
    "autumn", "Für Sie, {{ contact.last_name }}", "{{ salutation }},\nHallo", "<body><p>Hallo</p></body>"
)


def built(
    template: Template = TEMPLATE,
    *,
    account: Account = ACCOUNT,
    follow_up: bool = False,
    attachments: Sequence[Attachment] = (),
    **changes: Any,
) -> Mail:
    claimed = Claimed(
        **{
            "key": StageKey("autumn", REF.stage),
            "seq": REF.seq,
            "token": "0" * 32,
            "number": REF.number,
            "address": "Aenne@Weiß.example",
            "contact": CONTACT,
            "tracked": False,
            "message_id": LINKS.message_id(REF, "xn--mller-kva.example"),
            "dated_at": datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
            **changes,
        }
    )
    return MailBuilder(template, account, LINKS, follow_up=follow_up, attachments=attachments).build(claimed)


def read(mail: Mail) -> EmailMessage:
    return message_from_bytes(mail.data, policy=policy.default)


def body(mail: Mail, kind: str) -> str:
    part = read(mail).get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_a_mail_has_an_envelope_and_each_header_once() -> None:
    mail = built()
    assert (mail.sender, mail.recipient) == ("crm@xn--mller-kva.example", "Aenne@xn--wei-7ka.example")
    assert not mail.smtputf8
    headers = read(mail).items()
    assert [(name, str(value)) for name, value in headers] == [
        ("From", "Müller & Söhne <crm@xn--mller-kva.example>"),
        ("Reply-To", "a@b.example"),
        ("To", "Änne Weiß <Aenne@xn--wei-7ka.example>"),
        ("Subject", "Für Sie, Weiß"),
        ("Date", "Sun, 01 Mar 2026 09:30:00 +0000"),
        ("Message-ID", LINKS.message_id(REF, "xn--mller-kva.example")),
        ("List-Id", "<mass-mail-7.xn--mller-kva.example>"),
        ("List-Unsubscribe", f"<{URL}>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("MIME-Version", "1.0"),
        ("Content-Type", str(read(mail)["Content-Type"])),
    ]


def test_a_follow_up_asks_for_no_holiday_notes() -> None:
    assert read(built(follow_up=True))["Auto-Submitted"] == "auto-generated"
    assert read(built())["Auto-Submitted"] is None


def test_the_salutation_is_personal() -> None:
    assert body(built(), "plain").startswith("Sehr geehrte Frau Dr. Weiß,\r\nHallo")


def test_a_resend_is_byte_for_byte_the_same_mail() -> None:
    assert built(tracked=True) == built(tracked=True)


def test_a_mail_without_a_way_to_unsubscribe_gets_one() -> None:
    assert body(built(), "plain").endswith(f"\r\n\r\n-- \r\nAbmelden: {URL}\r\n")
    assert f'<p><a href="{URL}">Abmelden</a></p></body>' in body(built(), "html")
    assert "Unsubscribe: " in body(built(contact={**CONTACT, "language": "en"}), "plain")


def test_a_template_with_its_own_way_to_unsubscribe_is_left_alone() -> None:
    template = Template("autumn", "x", "Ende: {{ unsubscribe_url }}", '<a href="{{ unsubscribe_url }}">Ende</a>')
    assert body(built(template), "plain") == f"Ende: {URL}"
    assert body(built(template), "html") == f'<a href="{URL}">Ende</a>'


def test_the_pixel_is_in_the_html_of_those_who_agreed_and_of_nobody_else() -> None:
    pixel = f'<img src="{LINKS.pixel_url(REF)}" width="1" height="1" alt=""></body>'
    assert pixel in body(built(tracked=True), "html")
    assert b"/o/" not in built(tracked=False).data
    assert b"/o/" not in built(Template("autumn", "x", "nur Text"), tracked=True).data


def test_an_address_with_letters_beyond_ascii_before_the_at_asks_for_smtputf8() -> None:
    mail = built(address="jürgen@example.org")
    assert mail.smtputf8
    assert "<jürgen@example.org>\r\n".encode() in mail.data


def test_such_letters_in_reply_to_ask_for_smtputf8_too() -> None:
    account = ACCOUNT.model_copy(update={"reply_to": "jürgen@example.org"})
    assert built(account=account).smtputf8


def test_a_delivery_report_will_name_the_mail() -> None:
    mail = built()
    assert LINKS.read(LinkKind.MESSAGE, mail.envelope_id) == REF


def test_attachments_go_along_with_each_mail() -> None:
    price_list = Attachment("Preise für Öfen.pdf", "application/pdf", b"%PDF")
    (file,) = read(built(attachments=[price_list])).iter_attachments()
    assert (file.get_filename(), file.get_content()) == (price_list.name, price_list.data)


def test_a_body_that_is_empty_for_one_recipient_keeps_its_place_and_the_way_out() -> None:
    template = Template("autumn", "x", "{% if contact.x %}{{ contact.x }}{% endif %}", "<p>Hallo</p>")
    assert URL in body(built(template), "plain")


def test_a_line_break_in_a_name_starts_no_header() -> None:
    with pytest.raises(TemplateFault):
        built(contact={**CONTACT, "last_name": "Weiß\r\nBcc: evil@example.org"})


def test_an_address_that_no_mail_can_carry_is_refused_without_naming_it() -> None:
    with pytest.raises(TemplateFault) as fault:
        built(address="no address")
    assert "no address" not in str(fault.value)


def test_a_mail_is_signed_with_its_account_s_keys_and_the_signature_holds() -> None:
    private = Ed25519PrivateKey.generate()
    key = DkimKey(domain="example.com", selector="s1", private_key=private)
    account = Account(host="127.0.0.1", from_address="mailing@example.com", dkim=(key,))
    mail = built(account=account)
    published = base64.b64encode(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def txt(_name: bytes, timeout: int = 5) -> bytes:
        return b"v=DKIM1; k=ed25519; p=" + published

    assert dkim.verify(mail.data, dnsfunc=txt)
    assert not dkim.verify(mail.data.replace(b"Subject: ", b"Subject: Re: "), dnsfunc=txt)


def test_bounces_come_back_to_an_address_of_this_mail_alone() -> None:
    account = ACCOUNT.model_copy(update={"bounce_domain": "bounce.example.com"})
    sender = built(account=account).sender
    assert sender == f"b+{LINKS.token(LinkKind.BOUNCE, REF)}@bounce.example.com"
    assert len(sender.partition("@")[0]) <= 64  # RFC 5321 4.5.3.1.1
    assert built().sender == "crm@xn--mller-kva.example"


def test_a_provider_that_replaces_message_ids_gets_the_token_in_its_own_header() -> None:
    account = ACCOUNT.model_copy(update={"reference_header": 'X-MSYS-API: {"metadata": {"mail": "{token}"}}'})
    mail = message_from_bytes(built(account=account).data, policy=policy.default)
    assert mail["X-MSYS-API"] == f'{{"metadata": {{"mail": "{LINKS.token(LinkKind.MESSAGE, REF)}"}}}}'


@pytest.mark.parametrize(
    "base_url", ["https://mail.müller.example", "https://mail.example\r\nBcc: x", "https://m" * 120]
)
def test_a_web_address_that_no_header_can_hold_is_refused_before_the_first_mail(base_url: str) -> None:
    with pytest.raises(TemplateFault, match="List-Unsubscribe"):
        MailBuilder(TEMPLATE, ACCOUNT, Links(base_url, b"k" * 32), follow_up=False)
