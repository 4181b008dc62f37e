"""From, Reply-To and signature of a mail: whose they are, and whether the sending account permits them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from serienmail.domain.errors import TemplateFault
from serienmail.domain.sender import Sender, Whose, is_permitted
from serienmail.domain.template import Template
from serienmail.mailing.account import Account
from serienmail.mailing.identity import Identity
from serienmail.mailing.message import Mailbox

_COMPANY = Sender()
_NOBODY: Mapping[str, Identity] = MappingProxyType({})
_SIGNATURE = re.compile(r"\{\{-?\s*signature\s*-?\}\}")
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What stands in From and Reply-To (None: no such header), and the signature in both kinds."""

    sender: Mailbox
    reply_to: Mailbox | None = None
    signature_text: str = ""
    signature_html: str = ""

    @classmethod
    def of(
        cls, account: Account, sender: Sender = _COMPANY, people: Mapping[str, Identity] = _NOBODY, owner: str = ""
    ) -> "Letterhead":
        """The letterhead for contacts of this owner; TemplateFault if the account doesn't permit its addresses."""
        who = _identity(sender.from_, account, sender, sender.own_from, people, owner)
        answers = _identity(sender.reply_to, account, sender, sender.own_reply_to, people, owner).address
        if sender.reply_to is Whose.COMPANY and account.reply_to:
            answers = account.reply_to
        for header, address in (("From", who.address), ("Reply-To", answers)):
            if not is_permitted(address, (account.from_address, account.reply_to or "", *account.permitted)):
                raise TemplateFault(
                    f"the sending account doesn't permit an address in {header}; choose another one, or have it added "
                    "to the account's 'permitted'."
                )
        return cls(
            sender=Mailbox.of(who.address, sender.name or who.name),
            reply_to=None if answers == who.address else Mailbox.of(answers),
            signature_text=who.signature_text,
            signature_html=who.signature_html,
        )

    def signed(self, template: Template) -> Template:
        """The template with the signature where it says ``{{ signature }}``, else at the end."""
        text, html = template.text, template.html
        return replace(
            template,
            text=text and _signed(text, self.signature_text, f"{text.rstrip()}\n\n{{{{ signature }}}}\n"),
            html=html and _signed(html, self.signature_html, before_body_end(html, "{{ signature }}")),
        )


def before_body_end(html: str, addition: str) -> str:
    """The page with something more at its end."""
    ends = [found.start() for found in _BODY_END.finditer(html)]
    at = ends[-1] if ends else len(html)
    return f"{html[:at]}{addition}{html[at:]}"


def _signed(body: str, signature: str, with_place: str) -> str:
    if not _SIGNATURE.search(body):
        if not signature:
            return body
        body = with_place
    literal = f"{{% raw %}}{signature}{{% endraw %}}" if signature else ""  # a signature is no template
    return _SIGNATURE.sub(lambda _: literal, body)


def _identity(
    whose: Whose, account: Account, sender: Sender, own: str, people: Mapping[str, Identity], owner: str
) -> Identity:
    company = account.identity
    match whose:
        case Whose.COMPANY:
            return company
        case Whose.OWN:
            return people.get(sender.user, company)
        case Whose.TEMPLATE:
            return company.model_copy(update={"address": own})
        case Whose.OWNER if owner in people:
            return people[owner]
        case Whose.OWNER:
            raise TemplateFault(
                "the contact's owner has no address; add the owner to mail.people in the settings, or choose another "
                "sender."
            )
