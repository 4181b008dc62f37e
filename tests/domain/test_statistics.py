"""Each number counts exactly the mails that it says, and the numbers add up."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from serienmail.domain.delivery import Counts
from serienmail.domain.statistics import Number, numbers_of, statistics

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass(frozen=True)
class AMail:
    """A mail as the ledger has it; sent with a pixel unless told otherwise."""

    state: str = "sent"
    tracked: bool = True
    opened_at: datetime | None = None
    clicked_at: datetime | None = None
    bounced_at: datetime | None = None
    unsubscribed_at: datetime | None = None
    complained_at: datetime | None = None
    replied_at: datetime | None = None


def told_of(mail: AMail) -> set[str]:
    return {number.value for number in numbers_of(mail)} - {"selected"}


@pytest.mark.parametrize(
    ("mail", "numbers"),
    [
        (AMail(), {"sent", "delivered", "measured", "not_opened", "not_clicked"}),
        (AMail(opened_at=MONDAY), {"sent", "delivered", "measured", "opened", "not_clicked"}),
        (AMail(opened_at=MONDAY, clicked_at=MONDAY), {"sent", "delivered", "measured", "opened", "clicked"}),
        (AMail(tracked=False, bounced_at=MONDAY), {"sent", "bounced", "undelivered", "not_measured"}),
        (AMail("rejected"), {"rejected", "undelivered"}),
        (AMail("failed"), {"failed", "undelivered"}),
        (AMail("unknown"), {"in_doubt"}),
        (AMail("deferred"), {"waiting"}),
        (AMail("handing_over", unsubscribed_at=MONDAY), {"waiting", "unsubscribed"}),
        (AMail("excluded"), {"excluded"}),
        (AMail("cancelled"), {"cancelled"}),
    ],
)
def test_a_mail_is_counted_by_what_became_of_it(mail: AMail, numbers: set[str]) -> None:
    assert told_of(mail) == numbers


def test_who_is_not_measured_has_neither_opened_nor_not_opened() -> None:
    assert told_of(AMail(tracked=False)) == {"sent", "delivered", "not_measured"}


STAGE = Counts(
    selected=12,
    excluded={"no_opt_in": 2},
    by_state={"sent": 8, "rejected": 1, "failed": 1, "excluded": 2},
    opened=2,
    not_opened=3,
    clicked=1,
    not_clicked=4,
    unsubscribed=1,
    bounced=2,
)


def test_what_isnt_counted_follows_from_what_is() -> None:
    numbers = statistics("autumn", "Herbst", {0: STAGE}).stages[0].numbers
    assert numbers[Number.DELIVERED] == 6
    assert numbers[Number.UNDELIVERED] == 4
    assert numbers[Number.NOT_MEASURED] == 3


def test_all_stages_together_are_the_sum_of_them() -> None:
    follow_up = Counts(selected=3, excluded={"no_opt_in": 1}, by_state={"sent": 2, "excluded": 1}, bounced=1)
    total = statistics("autumn", "Herbst", {0: STAGE, 1: follow_up}).total
    assert total.numbers[Number.SENT] == 10
    assert total.numbers[Number.BOUNCED] == 3
    assert total.excluded == {"no_opt_in": 3}


def test_a_rate_is_of_those_who_could() -> None:
    rates = statistics("autumn", "Herbst", {0: STAGE}).total.rates
    assert rates[Number.OPENED] == 2 / 5, "of the measured"
    assert rates[Number.BOUNCED] == 2 / 8, "of the sent"


def test_a_rate_of_nobody_isnt_there() -> None:
    assert statistics("autumn", "Herbst", {0: Counts()}).total.rates == {}
