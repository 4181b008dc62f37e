"""What a slice makes of connections that break."""

import time

from temporalio import activity

from serienmail.domain.delivery import Answer, Verdict
from serienmail.domain.errors import AccountRefused, TransportFailure

FAILURES_IN_A_ROW = 3
"""So many connections that broke, one after the other without an answer between, and the server counts as away."""
PATIENT_AFTER = 3
"""The attempt at a slice that meets the third outage returns and says why it waits, instead of failing once more."""
FIRST_PAUSE = 0.1
"""Seconds; doubled before it is used, and again with each further failure in a row."""


class Outages:
    """What a slice makes of connections that break: one is replaced, a server that is away is left alone."""

    def __init__(self) -> None:
        self._met_before = _met_before()
        self._met = False
        self._in_a_row = 0
        self._last_at = 0.0

    @property
    def pause(self) -> float:
        """Seconds until a lane whose connection broke opens another."""
        return FIRST_PAUSE * float(2**self._in_a_row)

    @property
    def met(self) -> int:
        """How many attempts at the slice met one, this one included; for the heartbeat, where the next reads it."""
        return self._met_before + self._met

    def are_too_many(self, failure: TransportFailure, began: float) -> bool:
        """Whether to leave it for now. began: when the mail was begun, by the monotonic clock."""
        if began >= self._last_at:  # else the same outage, seen by another lane
            self._in_a_row += 1
            self._last_at = time.monotonic()
        self._met = self._met or self._in_a_row >= FAILURES_IN_A_ROW
        return isinstance(failure, AccountRefused) or self._met

    def end_with(self, answer: Answer) -> None:
        """The server has answered; a mail that could not be built, or wasn't answered, says nothing about it."""
        if answer.verdict not in (Verdict.FAILED, Verdict.UNFILLED, Verdict.IN_DOUBT):
            self._in_a_row = 0


def _met_before() -> int:
    """What the heartbeats of earlier attempts say. Not the number of attempts: a worker's death is no outage."""
    details = activity.info().heartbeat_details
    return int(details[1]) if len(details) > 1 else 0
