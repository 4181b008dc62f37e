"""Names and keys are what indexes, terminals and templates can bear."""

import pytest

from serienmail.domain.contact import LONGEST_KEY, LONGEST_NAME, check_module, is_key
from serienmail.domain.errors import InvalidOrder


@pytest.mark.parametrize("key", ["1", "K-00007", "München 7", "ä" * LONGEST_KEY, "a\N{NO-BREAK SPACE}b"])
def test_a_key_is_what_a_crm_writes(key: str) -> None:
    assert is_key(key)


@pytest.mark.parametrize("key", ["", "x" * (LONGEST_KEY + 1), "a\0", "a\x1b[31m", "a\nb", "\ud800"])
def test_what_no_index_or_terminal_takes_is_no_key(key: str) -> None:
    assert not is_key(key)


@pytest.mark.parametrize("name", ["", "Lead", "custom module", "x" * (LONGEST_NAME + 1), "../lead"])
def test_a_module_has_a_short_plain_name(name: str) -> None:
    check_module("deal_2026")
    with pytest.raises(InvalidOrder, match="can't be a module's name"):
        check_module(name)
