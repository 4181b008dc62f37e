"""Near-duplicates are people of one postcode with much the same name."""

from hashlib import sha256

from serienmail.domain.near_duplicates import LARGEST_BLOCK, NearDuplicate, Person, near_duplicates


def a_person(key: str, name: str, postcode: str = "89073", address_key: str | None = None) -> Person:
    return Person(key, name, postcode, address_key or f"{key}@example.org")


def test_word_order_and_spelling_do_not_hide_a_person() -> None:
    people = [a_person("1", "Ida Weiß Siering AG"), a_person("2", "Weiss, Ida SIERING AG"), a_person("3", "Jan Kurz")]
    assert list(near_duplicates(people)) == [NearDuplicate("1", "2", 100)]


def test_another_postcode_or_none_is_another_person() -> None:
    people = [a_person("1", "Ida Weiß", ""), a_person("2", "Ida Weiß", ""), a_person("3", "Ida Weiß", "10115")]
    assert list(near_duplicates([*people, a_person("4", "Ida Weiß")])) == []


def test_who_has_the_same_address_is_a_duplicate_already() -> None:
    same = "ida@example.org"
    people = [a_person("1", "Ida Weiß", address_key=same), a_person("2", "Ida Weiß", address_key=same)]
    assert list(near_duplicates(people)) == []


def test_in_a_large_postcode_those_are_compared_who_share_a_word_and_each_pair_is_told_once() -> None:
    crowd = [a_person(f"c{n}", f"{hash_like(n)} GmbH") for n in range(LARGEST_BLOCK)]
    people = [a_person("1", "Ida Maria Weiß GmbH"), *crowd, a_person("2", "Weiss, Ida Maria GmbH")]
    assert list(near_duplicates(people)) == [NearDuplicate("1", "2", 100)]


def hash_like(number: int) -> str:
    """A word that is like no other one's."""
    return sha256(str(number).encode()).hexdigest()


def test_who_has_no_name_is_like_nobody() -> None:
    assert list(near_duplicates([a_person("1", "  "), a_person("2", " ")])) == []
