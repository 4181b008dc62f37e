"""An account writes its own addresses and those it permits, and no other."""

import pytest

from serienmail.domain.sender import Sender, Whose, is_permitted

PERMITTED = ("news@example.org", "Müller.example")


@pytest.mark.parametrize("address", ["news@example.org", "News@EXAMPLE.org", "anna@müller.example", "b@MÜLLER.example"])
def test_a_permitted_address_or_domain_is_known_in_every_spelling(address: str) -> None:
    assert is_permitted(address, PERMITTED)


@pytest.mark.parametrize("address", ["anna@example.org", "a@sub.müller.example", "", "no address", "a@b@example.org"])
def test_any_other_address_is_not_permitted(address: str) -> None:
    assert not is_permitted(address, (*PERMITTED, ""))


def test_only_the_owner_s_address_differs_by_recipient() -> None:
    assert Sender(reply_to=Whose.OWNER).differs_by_recipient
    assert not Sender(from_=Whose.OWN, user="anna").differs_by_recipient
