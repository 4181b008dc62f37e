"""Who does what with the mail, drawn from a seed, and what the statistics must say of it afterwards."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

LINKS = 3
"""In each mail: as many as make a burst."""
_MEASURED, _OPEN, _CLICK, _MACHINE, _BOUNCE, _UNSUBSCRIBE = 0.9, 0.2, 0.05, 0.05, 0.03, 0.01


@dataclass(frozen=True, slots=True)
class Person:
    """A recipient. measured: agreed to it. machine: a filter asks for the pixel and all links before anybody looks.

    Whose mail bounces does nothing else; a click among a filter's own would be taken for the filter's.
    """

    number: int
    measured: bool
    machine: bool
    opens: bool
    clicks: bool
    bounces: bool
    unsubscribes: bool

    @property
    def has_opened(self) -> bool:
        """As the statistics have it: who clicks has opened."""
        return self.opens or self.clicks

    @property
    def gets_more(self) -> bool:
        """Whether follow-ups go to this address."""
        return not (self.bounces or self.unsubscribes)

    @property
    def events(self) -> int:
        """Requests and reports that come because of this mail."""
        return (1 + LINKS) * self.machine + self.opens + self.clicks + self.bounces + self.unsubscribes


def draw(recipients: int, seed: int) -> list[Person]:
    """So many people, the same for the same seed."""
    chance = Random(seed)
    return [_person(number, chance) for number in range(1, recipients + 1)]


def _person(number: int, chance: Random) -> Person:
    measured, machine, opens, clicks, bounces, unsubscribes = (
        chance.random() < share for share in (_MEASURED, _MACHINE, _OPEN, _CLICK, _BOUNCE, _UNSUBSCRIBE)
    )
    arrives = measured and not bounces
    return Person(
        number=number,
        measured=measured,
        machine=arrives and machine,
        opens=arrives and opens,
        clicks=arrives and clicks and not machine,
        bounces=bounces,
        unsubscribes=unsubscribes and not bounces,
    )


FOLLOW_UPS: Mapping[str, Callable[[Person], bool]] = {
    "opened": lambda person: person.has_opened,
    "not_opened": lambda person: person.measured and not person.has_opened,
    "not_clicked": lambda person: person.measured and not person.clicks,
}
"""By audience, in their order, who is in it."""


def expected(people: Sequence[Person]) -> dict[str, int]:
    """Every number, by its name."""
    first: dict[str, Callable[[Person], bool]] = {
        "sent": lambda _: True,
        "bounced": lambda person: person.bounces,
        "delivered": lambda person: not person.bounces,
        "undelivered": lambda person: person.bounces,
        "opened": lambda person: person.has_opened,
        "not_opened": FOLLOW_UPS["not_opened"],
        "clicked": lambda person: person.clicks,
        "not_clicked": FOLLOW_UPS["not_clicked"],
        "not_measured": lambda person: not person.measured,
        "unsubscribed": lambda person: person.unsubscribes,
        "in_doubt": lambda _: False,
        "excluded": lambda _: False,
    }
    numbers = {f"mass mail: {name}": sum(map(counts, people)) for name, counts in first.items()}
    for audience, is_in in FOLLOW_UPS.items():
        chosen = [person for person in people if is_in(person)]
        numbers[f"follow-up to {audience}: selected"] = len(chosen)
        numbers[f"follow-up to {audience}: excluded"] = sum(not person.gets_more for person in chosen)
        numbers[f"follow-up to {audience}: sent"] = sum(person.gets_more for person in chosen)
    numbers["mails that a machine opened"] = sum(person.machine for person in people)
    numbers["follow-up mails in the wrong inbox"] = 0
    return numbers
