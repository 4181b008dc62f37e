"""Gathering what is wrong."""

import pytest

from serienmail.domain.errors import AlreadyExists, ChecksFailed, InvalidOrder, NotFound
from starter.problems import Problems, all_at_once


def test_several_refusals_are_one_with_each_sentence_once() -> None:
    with pytest.raises(ChecksFailed) as refused, all_at_once() as problems:
        for error in (InvalidOrder("a"), NotFound("b"), ChecksFailed(["b", "c"])):
            with problems.noted():
                raise error
    assert refused.value.problems == ("a", "b", "c")


def test_a_single_refusal_stays_what_it_is() -> None:
    with pytest.raises(NotFound, match="b"), all_at_once() as problems:
        for error in (NotFound("b"), InvalidOrder("b")):
            with problems.noted():
                raise error


def test_what_somebody_outside_gathers_is_refused_there() -> None:
    outside = Problems()
    with all_at_once(outside) as problems, problems.noted():
        raise InvalidOrder("a")
    assert len(outside) == 1


def test_what_the_author_cannot_mend_is_refused_at_once() -> None:
    with pytest.raises(AlreadyExists), all_at_once() as problems, problems.noted():
        raise AlreadyExists("taken")
