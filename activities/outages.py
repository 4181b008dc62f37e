"""What a slice makes of connections that break."""

import time

from serienmail.domain.delivery import Answer, Verdict
from serienmail.domain.errors import AccountRefused, TransportFailure

FAILURES_IN_A_ROW = 3
"""So many connections that broke, one after the other without an answer between, and the server counts as away."""
FIRST_PAUSE = 0.1
"""Seconds; doubled before it is used, and again with each further failure in a row."""


class Outages:
    """What a slice makes of connections that break: one is replaced, a server that is away is left alone."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._last_at = 0.0

    @property
    def pause(self) -> float:
        """Seconds until a lane whose connection broke opens another."""
        return FIRST_PAUSE * float(2**self._in_a_row)

    def are_too_many(self, failure: TransportFailure, began: float) -> bool:
        """Whether to leave it for now. began: when the mail was begun, by the monotonic clock."""
        if began >= self._last_at:  # else the same outage, seen by another lane
            self._in_a_row += 1
            self._last_at = time.monotonic()
        return isinstance(failure, AccountRefused) or self._in_a_row >= FAILURES_IN_A_ROW

    def end_with(self, answer: Answer) -> None:
        """The server has answered; a mail that could not be built, or wasn't answered, says nothing about it."""
        if answer.verdict not in (Verdict.FAILED, Verdict.IN_DOUBT):
            self._in_a_row = 0
