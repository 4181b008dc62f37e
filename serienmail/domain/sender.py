"""Whose name and address a mail bears, and which addresses an account may use."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from serienmail.domain.address import address_key


class Whose(StrEnum):
    """Whose address stands in From or Reply-To (product.md, A5)."""

    OWN = "own"  # of who ordered the mass mail
    OWNER = "owner"  # of each contact's responsible employee
    COMPANY = "company"  # the sending account's
    TEMPLATE = "template"  # what the template itself brings


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """From and Reply-To, chosen separately.

    user: whose address ``own`` is; a user id, or empty: the company's. name: shown instead of the address' own.
    own_from, own_reply_to: the template's addresses; it brings both or none.
    """

    from_: Whose = Whose.COMPANY
    reply_to: Whose = Whose.COMPANY
    user: str = ""
    name: str = ""
    own_from: str = ""
    own_reply_to: str = ""

    @property
    def differs_by_recipient(self) -> bool:
        """Whether it depends on the contact."""
        return Whose.OWNER in (self.from_, self.reply_to)


def is_permitted(address: str, permitted: Iterable[str]) -> bool:
    """Whether an account may write this address. permitted: addresses, and domains for all addresses in them."""
    key = address_key(address)
    if key is None:
        return False
    domain = key.rpartition("@")[2]
    return any(key == address_key(entry) if "@" in entry else domain == _domain(entry) for entry in permitted)


def _domain(entry: str) -> str:
    return (address_key(f"x@{entry}") or "").rpartition("@")[2]
