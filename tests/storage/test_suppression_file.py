"""A suppression list goes out and comes in as a file, and no line is lost without a word."""

from pathlib import Path

import pytest

from serienmail.domain.errors import ImportFailed
from serienmail.domain.suppression import AddressHash, Suppression, SuppressionReason
from serienmail.storage.records import BadRow
from serienmail.storage.suppression_file import read_suppressions, write_suppressions
from tests.builders import NOON


def an_entry(address_key: str, **fields: str) -> Suppression:
    return Suppression(address_key=address_key, reason=SuppressionReason.BOUNCED, since=NOON, source="m1", **fields)


def test_what_was_written_is_read_again_and_nothing_in_it_is_a_formula(tmp_path: Path) -> None:
    entries = [
        an_entry("anna@example.org"), an_entry("=cmd@example.org", topic="@Sum"), an_entry("+1@example.org"),
        an_entry("'-x@example.org", topic="-, \"quoted\""), an_entry(AddressHash(b"k" * 32)("erased@example.org")),
    ]  # fmt: skip
    write_suppressions(tmp_path / "list.csv", entries)
    lines = (tmp_path / "list.csv").read_text("utf-8").splitlines()
    assert [line for line in lines if line.lstrip('"')[0] in "=+-@"] == []
    assert "'@Sum" in lines[2]
    assert list(read_suppressions(tmp_path / "list.csv", NOON)) == entries


def test_a_list_of_addresses_alone_is_by_hand_from_this_file_and_of_now(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("Address\nAnna@Example.org\n")
    by_hand = Suppression(
        address_key="anna@example.org", reason=SuppressionReason.BY_HAND, since=NOON, source="old.csv"
    )
    assert list(read_suppressions(tmp_path / "old.csv", NOON)) == [by_hand]


def test_each_bad_line_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(
        "address;reason;since\nno address;;\na@example.org;because;\nb@example.org;;yesterday\n"
        "c@example.org;;2026-03-02T12:00\nd@example.org\ne@example.org;complained;2026-03-02T12:00Z\n"
    )
    *bad, good = read_suppressions(tmp_path / "list.csv", NOON)
    assert isinstance(good, Suppression)
    assert (good.address_key, good.reason, good.since) == ("e@example.org", "complained", NOON)
    assert [entry.line for entry in bad if isinstance(entry, BadRow)] == [2, 3, 4, 5, 6]


@pytest.mark.parametrize(("headings", "says"), [
    ("mail;reason", "the column 'mail' means nothing here"), ("topic;reason", "no column is called 'address'"),
])  # fmt: skip
def test_a_file_with_other_columns_is_refused_whole(tmp_path: Path, headings: str, says: str) -> None:
    (tmp_path / "list.csv").write_text(f"{headings}\na@example.org;by_hand\n")
    with pytest.raises(ImportFailed, match=says):
        list(read_suppressions(tmp_path / "list.csv", NOON))
