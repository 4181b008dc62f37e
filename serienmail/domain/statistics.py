"""What became of a mass mail in numbers: which mails each number counts, and what share of which others that is."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from serienmail.domain.delivery import Counts
from serienmail.domain.states import OPEN_STATES, DeliveryState


class Number(StrEnum):
    """A number of a stage, and the list of recipients behind it (product.md, E3)."""

    SELECTED = "selected"
    EXCLUDED = "excluded"
    WAITING = "waiting"  # due, or in hand
    CANCELLED = "cancelled"
    SENT = "sent"  # accepted by the relay
    DELIVERED = "delivered"  # sent, and nothing came back
    BOUNCED = "bounced"  # sent, and came back
    REJECTED = "rejected"
    FAILED = "failed"
    UNDELIVERED = "undelivered"  # rejected, failed or bounced
    IN_DOUBT = "in_doubt"
    MEASURED = "measured"  # sent with a pixel; each has either opened or not opened, and clicked or not clicked
    NOT_MEASURED = "not_measured"
    OPENED = "opened"
    NOT_OPENED = "not_opened"
    CLICKED = "clicked"
    NOT_CLICKED = "not_clicked"
    UNSUBSCRIBED = "unsubscribed"
    COMPLAINED = "complained"
    REPLIED = "replied"


class Mail(Protocol):
    """What the ledger knows of one mail; of each thing that people did, the first time."""

    @property
    def state(self) -> str:
        """A DeliveryState."""

    @property
    def tracked(self) -> bool:
        """It carried a pixel and measured links."""

    @property
    def opened_at(self) -> datetime | None:
        """By a person."""

    @property
    def clicked_at(self) -> datetime | None:
        """By a person."""

    @property
    def bounced_at(self) -> datetime | None:
        """It came back."""

    @property
    def unsubscribed_at(self) -> datetime | None:
        """By its link or its provider."""

    @property
    def complained_at(self) -> datetime | None:
        """Called spam."""

    @property
    def replied_at(self) -> datetime | None:
        """Answered by its recipient."""


WAITING_STATES = (*OPEN_STATES, DeliveryState.HANDING_OVER)


def _sent(mail: Mail) -> bool:
    return mail.state == DeliveryState.SENT


def _measured(mail: Mail) -> bool:
    return _sent(mail) and mail.tracked


_COUNTS: Mapping[Number, Callable[[Mail], bool]] = {
    Number.SELECTED: lambda _: True,
    Number.EXCLUDED: lambda mail: mail.state == DeliveryState.EXCLUDED,
    Number.WAITING: lambda mail: mail.state in WAITING_STATES,
    Number.CANCELLED: lambda mail: mail.state == DeliveryState.CANCELLED,
    Number.SENT: _sent,
    Number.DELIVERED: lambda mail: _sent(mail) and mail.bounced_at is None,
    Number.BOUNCED: lambda mail: _sent(mail) and mail.bounced_at is not None,
    Number.REJECTED: lambda mail: mail.state == DeliveryState.REJECTED,
    Number.FAILED: lambda mail: mail.state == DeliveryState.FAILED,
    Number.UNDELIVERED: lambda mail: (
        mail.state in (DeliveryState.REJECTED, DeliveryState.FAILED) or (_sent(mail) and mail.bounced_at is not None)
    ),
    Number.IN_DOUBT: lambda mail: mail.state == DeliveryState.UNKNOWN,
    Number.MEASURED: _measured,
    Number.NOT_MEASURED: lambda mail: _sent(mail) and not mail.tracked,
    Number.OPENED: lambda mail: _measured(mail) and mail.opened_at is not None,
    Number.NOT_OPENED: lambda mail: _measured(mail) and mail.opened_at is None,
    Number.CLICKED: lambda mail: _measured(mail) and mail.clicked_at is not None,
    Number.NOT_CLICKED: lambda mail: _measured(mail) and mail.clicked_at is None,
    Number.UNSUBSCRIBED: lambda mail: mail.unsubscribed_at is not None,
    Number.COMPLAINED: lambda mail: mail.complained_at is not None,
    Number.REPLIED: lambda mail: mail.replied_at is not None,
}


def numbers_of(mail: Mail) -> frozenset[Number]:
    """The numbers that count this mail."""
    return frozenset(number for number, counts in _COUNTS.items() if counts(mail))


SHARE_OF: Mapping[Number, Number] = {
    Number.DELIVERED: Number.SENT,
    Number.BOUNCED: Number.SENT,
    Number.NOT_MEASURED: Number.SENT,
    Number.OPENED: Number.MEASURED,
    Number.NOT_OPENED: Number.MEASURED,
    Number.CLICKED: Number.MEASURED,
    Number.NOT_CLICKED: Number.MEASURED,
    Number.UNSUBSCRIBED: Number.SENT,
    Number.COMPLAINED: Number.SENT,
    Number.REPLIED: Number.SENT,
}
"""Which number a rate is a share of. Who isn't measured is in no rate of opens and clicks."""


@dataclass(frozen=True, slots=True)
class StageNumbers:
    """One stage, or all together. excluded: by reason code. rates: from 0 to 1; without those that are of nobody."""

    numbers: Mapping[Number, int]
    excluded: Mapping[str, int]
    rates: Mapping[Number, float]


@dataclass(frozen=True, slots=True)
class Statistics:
    """A mass mail and its follow-ups, by stage, at one moment. total: mails, so that one recipient may count more
    than once.
    """

    mass_mail_id: str
    name: str
    stages: Mapping[int, StageNumbers]
    total: StageNumbers


def statistics(mass_mail_id: str, name: str, stages: Mapping[int, Counts]) -> Statistics:
    """From what is counted of each stage."""
    of_stages = {stage: _stage_numbers(_numbers(counts), counts.excluded) for stage, counts in stages.items()}
    numbers, excluded = Counter[Number](dict.fromkeys(Number, 0)), Counter[str]()
    for stage in of_stages.values():
        numbers.update(stage.numbers)
        excluded.update(stage.excluded)
    return Statistics(mass_mail_id, name, of_stages, _stage_numbers(dict(numbers), dict(excluded)))


def rate(part: int, whole: int) -> float | None:
    """A share from 0 to 1; None of nothing."""
    return part / whole if whole else None


def _stage_numbers(numbers: Mapping[Number, int], excluded: Mapping[str, int]) -> StageNumbers:
    shares = {number: rate(numbers[number], numbers[whole]) for number, whole in SHARE_OF.items()}
    return StageNumbers(numbers, excluded, {number: share for number, share in shares.items() if share is not None})


def _numbers(counts: Counts) -> dict[Number, int]:
    sent, rejected, failed = map(counts.of, (DeliveryState.SENT, DeliveryState.REJECTED, DeliveryState.FAILED))
    measured = counts.opened + counts.not_opened
    return {
        Number.SELECTED: counts.selected,
        Number.EXCLUDED: counts.of(DeliveryState.EXCLUDED),
        Number.WAITING: sum(counts.of(state) for state in WAITING_STATES),
        Number.CANCELLED: counts.of(DeliveryState.CANCELLED),
        Number.SENT: sent,
        Number.DELIVERED: sent - counts.bounced,
        Number.BOUNCED: counts.bounced,
        Number.REJECTED: rejected,
        Number.FAILED: failed,
        Number.UNDELIVERED: rejected + failed + counts.bounced,
        Number.IN_DOUBT: counts.of(DeliveryState.UNKNOWN),
        Number.MEASURED: measured,
        Number.NOT_MEASURED: sent - measured,
        Number.OPENED: counts.opened,
        Number.NOT_OPENED: counts.not_opened,
        Number.CLICKED: counts.clicked,
        Number.NOT_CLICKED: counts.not_clicked,
        Number.UNSUBSCRIBED: counts.unsubscribed,
        Number.COMPLAINED: counts.complained,
        Number.REPLIED: counts.replied,
    }
