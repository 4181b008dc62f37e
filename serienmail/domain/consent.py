"""What people agreed to: for what, when, said where, and with which proof."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from serienmail.domain.contact import CONTACTS


class Purpose(StrEnum):
    """What somebody agrees to."""

    MASS_MAIL = "mass_mail"
    TRACKING = "tracking"

    @property
    def field(self) -> str:
        """The contact's field that has the current answer."""
        return _FIELDS[self]


_FIELDS = {Purpose.MASS_MAIL: "opt_in", Purpose.TRACKING: "tracking"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One answer, never changed: a withdrawal is another one.

    given: False for a withdrawal. source: ``import``, ``link``, ``double_opt_in``, ``provider``, or a user id.
    proof: what shows it, e.g. the link's mail or the text of a form; may be empty.
    module, contact_key: of the record; the key is empty if there is none any more.
    """

    module: str = CONTACTS
    contact_key: str
    address_key: str | None
    purpose: Purpose
    given: bool
    at: datetime
    source: str
    proof: str = ""


class Standing(StrEnum):
    """How a request for consent stands."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for consent as the person sees it who opens its link. address: as the CRM wrote it."""

    address: str
    purpose: Purpose
    expires_at: datetime
    confirmed_at: datetime | None = None

    def standing(self, now: datetime) -> Standing:
        """What was confirmed stays so, however late somebody looks."""
        if self.confirmed_at:
            return Standing.CONFIRMED
        return Standing.OPEN if now < self.expires_at else Standing.EXPIRED


def changed_answers(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Iterator[tuple[Purpose, bool]]:
    """The answers that a contact's new fields tell, compared with its old ones; None: the contact is new.

    An empty field of a new contact says nothing: nobody ever asked.
    """
    for purpose in Purpose:
        known = before[purpose.field] if before else False
        if after[purpose.field] != known:
            yield purpose, after[purpose.field]
