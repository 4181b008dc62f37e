"""What other mail servers and recipients say about a mail that is out, and what follows from it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from serienmail.domain.auto_answer import Incoming
from serienmail.domain.delivery import MailRef
from serienmail.domain.suppression import SuppressionReason


class Happening(StrEnum):
    """django-anymail's words for tracking events, and ``replied``."""

    SENT = "sent"
    REJECTED = "rejected"  # the provider wouldn't send it
    FAILED = "failed"  # the provider couldn't send it
    BOUNCED = "bounced"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    AUTORESPONDED = "autoresponded"
    OPENED = "opened"
    CLICKED = "clicked"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    SUBSCRIBED = "subscribed"
    UNKNOWN = "unknown"
    REPLIED = "replied"


class Severity(StrEnum):
    """What a bounce says about the address."""

    HARD = "hard"  # there is no such mailbox
    SOFT = "soft"  # it takes no mail now: full, slow, away
    BLOCK = "block"  # it may be good: the provider didn't want this mail, or this sender


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """Something that was said about a mail.

    id: the same however often it is told, and nothing else's; at most 200 characters.
    mail: proved by a token of ours; None: nobody knows which, so it is kept and changes nothing.
    severity: of a bounce. detail: in the other side's own words, which may name people; stays in the database.
    incoming: of an answer by a person, what a program must know that answers it.
    """

    id: str
    kind: Happening
    at: datetime
    mail: MailRef | None
    severity: Severity | None = None
    detail: str = field(default="", repr=False)
    incoming: Incoming | None = field(default=None, repr=False)


UNDELIVERED = frozenset({Happening.BOUNCED, Happening.REJECTED, Happening.FAILED})
"""The mail was handed over, and won't be delivered."""

SOFT_BOUNCES_COUNT_FOR = timedelta(days=180)
"""An address that had a full mailbox once a year is a good one."""

_WITNESSED = UNDELIVERED | {
    Happening.SENT, Happening.DEFERRED, Happening.DELIVERED, Happening.AUTORESPONDED, Happening.COMPLAINED,
    Happening.UNSUBSCRIBED, Happening.REPLIED,
}  # fmt: skip


def proves_hand_over(kind: Happening) -> bool:
    """Whether only somebody can say so who has the mail, or a server that took it.

    What a provider calls opened or clicked proves nothing here: nobody can tell whether a person did that.
    """
    return kind in _WITNESSED


def reason_to_suppress(feedback: Feedback, soft: int, patience: int) -> SuppressionReason | None:
    """Why the mail's address gets no mass mail any more; None: it still may.

    soft: how many mass mails have bounced softly at this address lately, this one included.
    patience: as many of them are enough.
    """
    match feedback.kind, feedback.severity:
        case Happening.COMPLAINED, _:
            return SuppressionReason.COMPLAINED
        case Happening.UNSUBSCRIBED, _:
            return SuppressionReason.UNSUBSCRIBED
        case Happening.BOUNCED, Severity.HARD:
            return SuppressionReason.BOUNCED
        case Happening.BOUNCED, Severity.SOFT if soft >= patience:
            return SuppressionReason.BOUNCED
    return None
