"""The catalogue of faults keeps up with the code. Whether tests notice them takes longer: python -m tests.mutants."""

import ast

import pytest

from tests.mutants.catalogue import MUTANTS, ROOT, Mutant

by_its_words = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.without)


@by_its_words
def test_what_is_taken_out_is_still_there_and_what_is_left_can_be_read(mutant: Mutant) -> None:
    assert ast.parse(mutant.applied_to(ROOT))


@by_its_words
def test_the_test_that_must_notice_it_is_still_there(mutant: Mutant) -> None:
    file, name = mutant.test.split("::")
    assert f"def {name}(" in (ROOT / file).read_text("utf-8")
