"""Whether a program may answer an answer: once, its writer alone, and never another program (RFC 3834)."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from serienmail.domain.address import address_key

MOST_A_DAY = 1_000
"""Automatic answers of an installation; what is beyond waits for the next day."""
WORTH_IT = timedelta(days=3)
"""An answer that comes later than this helps nobody."""

_PROGRAMS = re.compile(
    r"(mailer-daemon|postmaster|(no|do-?not|never)[-_.]?reply|owner-.*|.*-(owner|request|bounces)|listserv|majordomo|root)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """What an answer to a mail of ours says of itself.

    sender: the address in From; empty: there is none, or several. from_nobody: its envelope has the null sender.
    auto_submitted, precedence: these headers, as they are; empty without. of_list: a header List-* is there.
    unwanted: its program asks for no automatic answers. message_id: with its brackets; empty without.
    """

    sender: str
    from_nobody: bool = False
    auto_submitted: str = ""
    precedence: str = ""
    of_list: bool = False
    unwanted: bool = False
    message_id: str = ""


class Refusal(StrEnum):
    """Why nothing is answered."""

    BOUNCE = "it has the null sender, as bounces do"
    AUTOMATIC = "a program wrote it"
    LIST = "it came over a mailing list, or to many"
    UNWANTED = "its program asks for no automatic answers"
    PROGRAM = "its sender is the address of a program"
    OURS = "its sender is an address of ours"
    SOMEBODY_ELSE = "somebody else than the recipient wrote it"
    UNNAMED = "it has no Message-ID, so an answer couldn't say what it answers"


def may_answer(mail: Incoming, recipient: str, ours: Collection[str]) -> Refusal | None:
    """Why a program may not answer this mail; None: it may.

    recipient: whom our mail went to, the only address that an answer goes to: a From may be forged. ours: addresses
    that mails come from or answers go to.
    """
    local_part = mail.sender.rpartition("@")[0]
    if mail.from_nobody:
        return Refusal.BOUNCE
    if _keyword(mail.auto_submitted) not in ("", "no"):
        return Refusal.AUTOMATIC
    if mail.of_list or _keyword(mail.precedence) in ("list", "bulk", "junk", "auto_reply"):
        return Refusal.LIST
    if mail.unwanted:
        return Refusal.UNWANTED
    if _PROGRAMS.fullmatch(local_part):
        return Refusal.PROGRAM
    if _key(mail.sender) in map(_key, ours):
        return Refusal.OURS
    if not _key(mail.sender) or _key(mail.sender) != _key(recipient):
        return Refusal.SOMEBODY_ELSE
    return None if mail.message_id else Refusal.UNNAMED


def _keyword(header: str) -> str:
    """Without parameters and comments (RFC 3834 5)."""
    return re.split(r"[;(\s]", header.strip(), maxsplit=1)[0].casefold()


def _key(address: str) -> str:
    return address_key(address) or ""
