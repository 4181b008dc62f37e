"""How often one network may ask: enough for everybody behind it, too little to wear the installation out."""

import hmac
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from serienmail.domain.judging import network_of

MOST_NETWORKS = 20_000
"""Whom nothing was heard of for longest is forgotten first: memory stays bounded whoever asks, at some 5 MB."""


@dataclass(frozen=True, slots=True)
class Pace:
    """So many requests at once, and then so many a second."""

    at_once: int
    per_second: int


PACES = {
    "o": Pace(5_000, 500),  # a mail provider's proxies load the pictures of all its users from a few networks
    "l": Pace(5_000, 500),
    "u": Pace(1_000, 100),  # and its one-click opt-outs come from there, too
    "webhooks": Pace(2_000, 200),
    "api": Pace(200, 20),
}
"""By the path's first part. A process takes some 2,000 opens and clicks a second on one core (docs/performance.md): one
network may have a quarter of it. Opt-outs and webhooks have transactions of their own, so less. That this is enough for
everybody behind one network is an estimate: no installation's traffic was measured.
"""
OTHERS = Pace(100, 10)


class Paces:
    """One bucket of requests for each network and kind of path, which fills up again by the second.

    Networks (``network_of``) are kept as hashes under a key that nobody has. This machine's own addresses are free: a
    proxy here says for whom it asks.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = MOST_NETWORKS) -> None:
        self._clock = clock
        self._most = most
        self._key = secrets.token_bytes(32)
        self._buckets: dict[tuple[bytes, str], tuple[float, float]] = {}  # how much is left, as of when

    def wait(self, address: str, path: str) -> int:
        """Seconds until this address may ask for this path; 0: it may now, and that counts."""
        if not (network := network_of(address)) or ip_address(address).is_loopback:
            return 0
        kind = path.strip("/").partition("/")[0]
        pace = PACES.get(kind, OTHERS)
        which = hmac.digest(self._key, network.encode(), "sha256")[:8], kind if kind in PACES else ""
        now = self._clock()
        left, since = self._buckets.pop(which, (pace.at_once, now))
        left = min(pace.at_once, left + (now - since) * pace.per_second)
        allowed = left >= 1
        self._buckets[which] = left - allowed, now
        if len(self._buckets) > self._most:
            del self._buckets[next(iter(self._buckets))]
        return 0 if allowed else math.ceil((1 - left) / pace.per_second)
