"""How an account is divided among the processes that send on it, so that each mass mail gets as much as every other."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from serienmail.domain.sending_limits import SendingLimits


@dataclass(frozen=True, slots=True)
class Part:
    """A process's part of an account: from begin to end, where the whole is from 0 to 1.

    weights: of each mass mail that it serves, how much of the mass mail's due is to be had here: 1 is all of it.
    """

    begin: float = 0.0
    end: float = 1.0
    weights: Mapping[str, float] = field(default_factory=dict)

    def share(self, whole: int) -> int:
        """Of so many; the shares of parts that make up the whole make up so many."""
        return math.floor(whole * self.end + 0.5) - math.floor(whole * self.begin + 0.5)

    def without(self, begin: float, end: float) -> "Part":
        """What is left of it while somebody else has this."""
        if begin >= end or end <= self.begin or begin >= self.end:
            return self
        if begin <= self.begin:
            return Part(min(end, self.end), self.end, self.weights)
        return Part(self.begin, begin, self.weights)


@dataclass(frozen=True, slots=True)
class Share:
    """What a process has of an account: of all it may do, so many connections.

    weights: whose turns they are, of the mass mails that it serves; 1 if it serves one alone.
    """

    limits: SendingLimits
    connections: int
    weights: Mapping[str, float] = field(default_factory=dict)


def divide(serves: Iterable[tuple[str, Collection[str]]]) -> Mapping[str, Part]:
    """By process, in this order. serves: processes, and the mass mails that each of them serves.

    Each mass mail is due as much as every other, from all processes that serve it alike.
    """
    serving = list(serves)
    by_how_many = Counter(mass_mail for _, served in serving for mass_mail in served)
    parts, begin = {}, 0.0
    for process, served in serving:
        weights = {mass_mail: 1 / by_how_many[mass_mail] for mass_mail in served}
        end = begin + sum(weights.values()) / max(len(by_how_many), 1)
        parts[process] = Part(begin, end, weights)
        begin = end
    return parts
