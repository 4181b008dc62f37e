"""Two spellings of one mailbox have one key, and what can't be mailed to has none."""

import pytest

from serienmail.domain.address import address_key, preferred


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("ida.baum@example.org", "ida.baum@example.org"),
        ("  Ida.BAUM@Example.ORG ", "ida.baum@example.org"),
        ("ida@müller.example", "ida@xn--mller-kva.example"),
        ("ida@xn--mller-kva.example", "ida@xn--mller-kva.example"),
        ("o'neill+crm@example.com", "o'neill+crm@example.com"),
        ("JÖRG@example.com", "jörg@example.com"),
    ],
)
def test_spellings_of_one_mailbox_have_one_key(address: str, key: str) -> None:
    assert address_key(address) == key


@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        "unbekannt",
        "doppel@@example.com",
        "a@b@example.org",
        "leer zeichen@example.com",
        "punkt.@example.com",
        "zwei..punkte@example.com",
        "@example.com",
        "kein-at-zeichen.example.com",
        "Ida Baum <ida@example.org>",
        "ida@example.org; jan@example.org",
        "ida@example.org\r\nBcc: jan@example.org",
    ],
)
def test_what_can_not_be_mailed_to_has_no_key(address: str) -> None:
    assert address_key(address) is None


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ([], ("", ())),
        (["", "x"], ("x", ())),
        (["x", "y"], ("x", ())),
        (["Ida@Example.org"], ("Ida@Example.org", ())),
        (["x", "", "Ida@Example.org", "jan@example.org"], ("Ida@Example.org", ("jan@example.org",))),
        (["ida@example.org", "IDA@example.org"], ("ida@example.org", ())),
    ],
)
def test_of_several_addresses_the_first_that_can_be_mailed_to_is_used(
    addresses: list[str], expected: tuple[str, tuple[str, ...]]
) -> None:
    assert preferred(addresses) == expected
