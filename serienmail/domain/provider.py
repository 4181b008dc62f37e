"""Who receives the mail of which domains, and how much of it at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from serienmail.domain.errors import InvalidOrder
from serienmail.domain.sending_limits import SendingLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Domains whose mail goes to the same servers. limits: for each sending account."""

    domains: tuple[str, ...]
    limits: SendingLimits = field(default_factory=SendingLimits)


SEEDS: Mapping[str, Provider] = {
    "google": Provider(domains=("gmail.com", "googlemail.com"), limits=SendingLimits(connections=5)),
    "microsoft": Provider(
        domains=(
            *("outlook.com", "outlook.de", "outlook.fr", "outlook.at", "hotmail.com", "hotmail.de", "hotmail.fr"),
            *("hotmail.co.uk", "hotmail.it", "hotmail.es", "live.com", "live.de", "live.fr", "live.nl", "msn.com"),
        ),
        limits=SendingLimits(connections=5),
    ),
    "yahoo": Provider(
        domains=(
            *("yahoo.com", "yahoo.de", "yahoo.fr", "yahoo.co.uk", "yahoo.it", "yahoo.es", "ymail.com"),
            *("rocketmail.com", "aol.com", "aol.de"),
        )
    ),
    "gmx": Provider(domains=("gmx.de", "gmx.net", "gmx.at", "gmx.ch", "gmx.com", "gmx.eu", "web.de")),
    "t-online": Provider(domains=("t-online.de", "magenta.de")),
}
"""What is known without settings: Google and Microsoft want no more than five connections."""


class Providers:
    """All that are known by name. Each other domain is a provider of its own, without limits."""

    def __init__(self, known: Mapping[str, Provider] = SEEDS) -> None:
        self.limits = {name: provider.limits for name, provider in known.items()}
        self._known = known
        self._name_of: dict[str, str] = {}
        for name, provider in known.items():
            for domain in provider.domains:
                if domain in self._name_of:
                    other = self._name_of[domain]
                    raise InvalidOrder(f"The domain {domain} belongs to '{other}' and '{name}'; leave it at one.")
                self._name_of[domain] = name

    def of(self, address_key: str) -> str:
        """The provider of an address."""
        domain = address_key.rpartition("@")[2]
        return self._name_of.get(domain, domain)

    def domains(self, name: str) -> tuple[str, ...]:
        """The domains whose provider has this name."""
        provider = self._known.get(name)
        return provider.domains if provider else (name,)
