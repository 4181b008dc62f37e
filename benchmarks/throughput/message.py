"""What all senders of the benchmark send: one personal mail of about 7 kB (6,800 bytes) to each of so many people."""

from dataclasses import asdict
from datetime import UTC, datetime

from pydantic import SecretStr

from benchmarks.people import person
from serienmail.domain.delivery import Claimed, StageKey
from serienmail.domain.template import Template
from serienmail.mailing.account import Account
from serienmail.mailing.builder import MailBuilder, render
from serienmail.mailing.links import Links, MailRef
from serienmail.mailing.message import Mail
from serienmail.mailing.template import Rendered, compile_template

ACCOUNT, SENDER = "marketing", "marketing@serienmail.example"
LINK_KEY = SecretStr("k" * 32)
_PARAGRAPH = (
    "der Herbst ist da, und mit ihm unser Angebot für {{ contact.city }}: zehn Prozent auf alle Wartungsverträge, die"
    " Sie bis zum 15. Dezember abschließen. Unsere Technikerinnen und Techniker prüfen Ihre Anlage, erklären Ihnen,"
    " was sich lohnt, und kommen auch außerhalb der üblichen Zeiten. "
)
_PARAGRAPHS = 8
TEMPLATE = Template(
    "benchmark",
    "Unser Herbstangebot für {{ contact.first_name }} {{ contact.last_name }}",
    text="{{ salutation }},\n\n" + f"{_PARAGRAPH}\n\n" * _PARAGRAPHS + "Abmelden: {{ unsubscribe_url }}\n",
    html="<!DOCTYPE html>\n<html lang='de'>\n<body style='font-family: sans-serif; line-height: 1.5'>\n"
    "<p>{{ salutation }},</p>\n"
    + f"<p style='margin: 0 0 1em 0; color: #222222'>{_PARAGRAPH}</p>\n" * _PARAGRAPHS
    + "<p><a href='{{ unsubscribe_url }}'>Abmelden</a></p>\n</body>\n</html>\n",
)
_compiled = compile_template(TEMPLATE)


def unsubscribe_url(number: int, base_url: str = "https://mail.serienmail.example") -> str:
    """As long as the product's own."""
    return Links(base_url, LINK_KEY.get_secret_value().encode()).unsubscribe_url(MailRef(1, 0, number))


def words(number: int) -> Rendered:
    """Subject and bodies for this recipient."""
    return render(_compiled, asdict(person(number)), unsubscribe_url=unsubscribe_url(number))


def ready_mail() -> Mail:
    """The first recipient's mail, as the product hands it over."""
    account = Account(host="127.0.0.1", from_address=SENDER)
    links = Links("https://mail.serienmail.example", LINK_KEY.get_secret_value().encode())
    claimed = Claimed(
        key=StageKey("benchmark", 0),
        seq=1,
        token="0" * 32,
        number=1,
        address=person(1).email,
        contact=asdict(person(1)),
        tracked=False,
        message_id=links.message_id(MailRef(1, 0, 1), SENDER.partition("@")[2]),
        dated_at=datetime.now(UTC),
    )
    return MailBuilder(TEMPLATE, account, links, follow_up=False).build(claimed)
