"""Now, as activities must see it."""

import time
from datetime import datetime, timedelta

from temporalio import activity


class ActivityClock:
    """The attempt's start plus the time elapsed since.

    It follows skipped time, which the machine's clock doesn't, and is fresh in every retry, which an input wouldn't be.
    """

    def __init__(self) -> None:
        self._started = activity.info().started_time
        self._began = time.monotonic()

    def now(self) -> datetime:
        """Aware, UTC."""
        return self._started + timedelta(seconds=time.monotonic() - self._began)
