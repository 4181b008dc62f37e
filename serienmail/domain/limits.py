"""Limits are an installation's policy: how many recipients a mass mail has, how many mass mails a time slot."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from serienmail.domain.errors import InvalidOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """None: no limit.

    recipients: of one stage of a mass mail; those beyond it are excluded as over the limit, until it is sent again,
    which takes as many again.
    mass_mails: of one module that are due in the same time slot, follow-ups aside; one more is refused.
    slot_minutes: how long a time slot is; slots are counted from midnight UTC.
    """

    recipients: int | None = None
    mass_mails: int | None = None
    slot_minutes: int = 60

    def __post_init__(self) -> None:
        given = [number for number in (self.recipients, self.mass_mails, self.slot_minutes) if number is not None]
        if min(given) < 1 or self.slot_minutes > 24 * 60:
            raise ValueError("must be 1 or more, and a slot at most a day")

    def slot(self, due: datetime) -> datetime:
        """When the slot begins in which this time lies."""
        midnight = due.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        length = timedelta(minutes=self.slot_minutes)
        return midnight + (due - midnight) // length * length


def check_slot(limits: Limits, due: datetime, others: Iterable[datetime]) -> None:
    """InvalidOrder if the slot of this time is taken by so many of the module's other mass mails."""
    if limits.mass_mails is None:
        return
    slot = limits.slot(due)
    if sum(limits.slot(other) == slot for other in others) >= limits.mass_mails:
        end = slot + timedelta(minutes=limits.slot_minutes)
        raise InvalidOrder(
            f"{limits.mass_mails} mass mails are due between {slot:%Y-%m-%d %H:%M} and {end:%H:%M} UTC already,"
            " which is this installation's limit; choose another time."
        )
