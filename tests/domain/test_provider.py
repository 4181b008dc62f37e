"""Which provider receives an address's mail."""

import pytest

from serienmail.domain.errors import InvalidOrder
from serienmail.domain.provider import Provider, Providers


def test_domains_of_one_provider_are_one_and_any_other_domain_is_its_own() -> None:
    providers = Providers()
    assert providers.of("a@gmail.com") == providers.of("b@googlemail.com") == "google"
    assert providers.of("a@example.org") == "example.org"
    assert "googlemail.com" in providers.domains("google")
    assert providers.domains("example.org") == ("example.org",)


def test_large_providers_are_known_with_their_limits() -> None:
    assert Providers().limits["google"].connections == 5


def test_a_domain_at_two_providers_is_refused() -> None:
    with pytest.raises(InvalidOrder, match="belongs to 'a' and 'b'"):
        Providers({"a": Provider(domains=("example.org",)), "b": Provider(domains=("example.org",))})
