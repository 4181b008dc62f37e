"""Who opened or clicked: a person, or a machine that looks at mail for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

QUIET = timedelta(seconds=30)
"""A mail is judged when nobody has touched it for so long: then a scanner is through with its links."""
BURST = timedelta(seconds=2)
"""Nobody opens as many as BURST_LINKS different links of a mail within this."""
BURST_LINKS = 3


class Reason(StrEnum):
    """What a machine was known by."""

    METHOD = "method"  # HEAD: neither mail programs nor browsers ask so for a person
    AGENT = "agent"  # it says what it is, or that it fetches before anybody looks
    NETWORK = "network"  # it comes from where only mail filters are
    BURST = "burst"
    COMPANY = "company"  # same network and program, at the same time, as another request of a machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request for something in a mail, as it came.

    link: its id; 0 for the pixel. network: a keyed hash, for comparing alone. scanner: whether the machine list has
    its address.
    """

    at: datetime
    link: int
    method: str = "GET"
    network: str = ""
    agent: str = ""
    scanner: bool = False


@dataclass(frozen=True, slots=True)
class MachineList:
    """What is known of machines. agents: texts in a User-Agent; exact_agents: all of it; networks: of mail filters."""

    agents: tuple[str, ...] = ()
    exact_agents: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, document: Mapping[str, Sequence[str]]) -> "MachineList":
        """From ``{"agents": […], "exact_agents": […], "networks": […]}``; ValueError or TypeError if it isn't that."""
        agents = tuple(agent.casefold() for agent in document["agents"])
        networks = tuple(ip_network(network) for network in document["networks"])
        return cls(agents, frozenset(document["exact_agents"]), networks)

    def is_scanner(self, address: str) -> bool:
        """Whether this IP address is a mail filter's; one that can't be read is nobody's."""
        try:
            known: IPv4Address | IPv6Address = ip_address(address)
        except ValueError:
            return False
        return any(known in network for network in self.networks)

    def is_machine(self, agent: str) -> bool:
        """Whether a program of this name asks by itself."""
        lowered = agent.casefold()
        return agent in self.exact_agents or any(known in lowered for known in self.agents)


def network_of(address: str) -> str:
    """The network that an IP address is in: /24, or /48 for IPv6, which one household or office shares."""
    try:
        known = ip_address(address)
    except ValueError:
        return ""
    return str(ip_network((known, 24 if known.version == 4 else 48), strict=False))


def judge(visits: Sequence[Visit], machines: MachineList) -> list[Reason | None]:
    """The verdict on each request for one mail, all of which are given; None: a person.

    The time since the mail was sent plays no part: people open at once, and machines look again days later.
    """
    verdicts = [_alone(visit, machines) for visit in visits]
    for index in _burst(visits):
        verdicts[index] = verdicts[index] or Reason.BURST
    company = [visit for visit, reason in zip(visits, verdicts, strict=True) if reason]
    return [
        reason or (Reason.COMPANY if any(_together(visit, machine) for machine in company) else None)
        for visit, reason in zip(visits, verdicts, strict=True)
    ]


def _alone(visit: Visit, machines: MachineList) -> Reason | None:
    if visit.method != "GET":
        return Reason.METHOD
    if machines.is_machine(visit.agent):
        return Reason.AGENT
    return Reason.NETWORK if visit.scanner else None


def _burst(visits: Sequence[Visit]) -> set[int]:
    """The clicks that are part of a burst. Scanners share it among several addresses, so these don't matter."""
    clicks = sorted((visit.at, index) for index, visit in enumerate(visits) if visit.link)
    found: set[int] = set()
    for begin, _ in clicks:
        window = [index for at, index in clicks if begin <= at <= begin + BURST]
        if len({visits[index].link for index in window}) >= BURST_LINKS:
            found.update(window)
    return found


def _together(visit: Visit, machine: Visit) -> bool:
    """Same network, same program, and so near in time that it is the same pass over the mail."""
    same = (visit.network, visit.agent) == (machine.network, machine.agent)
    return same and bool(visit.network) and abs(visit.at - machine.at) <= QUIET
