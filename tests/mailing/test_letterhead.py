"""From, Reply-To and signature are those that were chosen, if the account permits them."""

import pytest

from serienmail.domain.errors import TemplateFault
from serienmail.domain.sender import Sender, Whose
from serienmail.domain.template import Template
from serienmail.mailing.account import Account
from serienmail.mailing.identity import Identity
from serienmail.mailing.letterhead import Letterhead
from serienmail.mailing.message import Mailbox

ACCOUNT = Account(host="x", from_address="news@example.org", from_name="Firm", permitted=("example.org",))
PEOPLE = {
    "anna": Identity(
        address="anna@example.org", name="Anna", signature_text="Anna\nSales", signature_html="<b>Anna</b>"
    ),
    "ben": Identity(address="ben@elsewhere.example"),
}


def head(sender: Sender, account: Account = ACCOUNT, owner: str = "") -> Letterhead:
    return Letterhead.of(account, sender, PEOPLE, owner)


def test_the_company_writes_from_the_account() -> None:
    account = ACCOUNT.model_copy(update={"reply_to": "office@other.example"})
    assert head(Sender()) == Letterhead(Mailbox("news@example.org", "Firm"))
    assert head(Sender(), account).reply_to == Mailbox("office@other.example")


def test_from_and_reply_to_are_chosen_separately() -> None:
    chosen = head(Sender(from_=Whose.OWN, user="anna", reply_to=Whose.COMPANY, name="Your Anna"))
    assert (chosen.sender, chosen.reply_to) == (Mailbox("anna@example.org", "Your Anna"), Mailbox("news@example.org"))
    assert chosen.signature_text == "Anna\nSales"


def test_the_record_owner_writes_to_the_own_contacts() -> None:
    assert head(Sender(from_=Whose.OWNER, reply_to=Whose.OWNER), owner="anna").sender.address == "anna@example.org"
    with pytest.raises(TemplateFault, match="owner has no address"):
        head(Sender(from_=Whose.OWNER), owner="nobody")


def test_a_template_can_bring_its_own_addresses() -> None:
    own = Sender(from_=Whose.TEMPLATE, reply_to=Whose.TEMPLATE, own_from="a@example.org", own_reply_to="b@example.org")
    assert (head(own).sender, head(own).reply_to) == (Mailbox("a@example.org", "Firm"), Mailbox("b@example.org"))


@pytest.mark.parametrize("header", ["From", "Reply-To"])
def test_an_address_that_the_account_does_not_permit_is_refused(header: str) -> None:
    whose = {"from_": Whose.OWNER} if header == "From" else {"reply_to": Whose.OWNER}
    with pytest.raises(TemplateFault, match=f"doesn't permit an address in {header}"):
        head(Sender(**whose), owner="ben")  # type: ignore[arg-type]


def test_the_signature_stands_where_the_template_wants_it_else_at_the_end() -> None:
    anna = head(Sender(from_=Whose.OWN, user="anna"))
    placed = anna.signed(Template("x", "x", "Hello\n{{signature}}\nP.S.", "<p>{{ signature }}</p>"))
    assert placed.text == "Hello\n{% raw %}Anna\nSales{% endraw %}\nP.S."
    added = anna.signed(Template("x", "x", "Hello\n", "<body><p>Hello</p></body>"))
    assert added.text == "Hello\n\n{% raw %}Anna\nSales{% endraw %}\n"
    assert added.html == "<body><p>Hello</p>{% raw %}<b>Anna</b>{% endraw %}</body>"


def test_without_a_signature_nothing_is_added() -> None:
    template = Template("x", "x", "Hello{{ signature }}", "<p>Hello</p>")
    assert head(Sender()).signed(template) == Template("x", "x", "Hello", "<p>Hello</p>")
