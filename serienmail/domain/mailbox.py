"""Mailboxes that are read: how far, and whether answers come to one of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from serienmail.domain.address import address_key
from serienmail.domain.errors import InvalidOrder


@dataclass(frozen=True, slots=True)
class Position:
    """The last mail that was read (RFC 3501 2.3.1.1): numbers of another validity mean other mails."""

    uid_validity: int = 0
    uid: int = 0

    def in_mailbox(self, uid_validity: int) -> "Position":
        """Where to go on in a mailbox of this validity: at the beginning, if it has been numbered anew."""
        return self if uid_validity == self.uid_validity else Position(uid_validity)


def check_answers_are_read(answers_to: str | None, addresses: Iterable[str]) -> None:
    """InvalidOrder if answers go elsewhere than to a mailbox that is read.

    answers_to: None: not to the same address for all. addresses: of the mailboxes that are read.
    """
    if answers_to is None or address_key(answers_to) not in map(address_key, addresses):
        raise InvalidOrder(
            "The order says what follows an answer, but answers go to an address that isn't read; "
            "choose a Reply-To among the mailboxes of the settings, or take stop_on_reply and auto_answer out."
        )
