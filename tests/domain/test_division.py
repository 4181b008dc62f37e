"""Connections follow the mass mails: each gets as many as every other, wherever it is served."""

from hypothesis import given
from hypothesis import strategies as st

from serienmail.domain.division import Part, divide

SERVING = st.dictionaries(st.text("pqr", min_size=1, max_size=2), st.sets(st.sampled_from("abcd")), min_size=1)


def test_who_serves_the_only_mass_mail_has_all() -> None:
    assert divide([("first", ["autumn"])])["first"].share(10) == 10


def test_workers_that_serve_the_same_have_as_much_as_each_other() -> None:
    parts = divide([(worker, ["autumn", "winter"]) for worker in ("first", "second")])
    assert [part.share(10) for part in parts.values()] == [5, 5]
    assert parts["first"].weights == {"autumn": 0.5, "winter": 0.5}


def test_a_mass_mail_that_one_worker_serves_gets_as_much_as_one_that_two_serve() -> None:
    parts = divide([("first", ["autumn", "winter"]), ("second", ["winter"])])
    assert [part.share(4) for part in parts.values()] == [3, 1]
    assert parts["first"].weights == {"autumn": 1.0, "winter": 0.5}


def test_who_serves_none_gets_none() -> None:
    assert [part.share(10) for part in divide([("rests", []), ("works", ["autumn"])]).values()] == [0, 10]
    assert divide([("rests", [])])["rests"].share(10) == 0


@given(SERVING, st.integers(0, 100))
def test_all_shares_together_are_the_whole_while_anybody_serves(serving: dict[str, set[str]], whole: int) -> None:
    parts = divide(serving.items()).values()
    assert sum(part.share(whole) for part in parts) == (whole if any(serving.values()) else 0)
    assert all(part.share(whole) >= 0 for part in parts)


@given(SERVING)
def test_each_mass_mail_is_due_the_same(serving: dict[str, set[str]]) -> None:
    parts = divide(serving.items()).values()
    mass_mails = set().union(*serving.values())
    for mass_mail in mass_mails:
        assert abs(sum(part.weights.get(mass_mail, 0.0) for part in parts) - 1) < 1e-9


def test_what_somebody_else_still_has_is_left_out() -> None:
    part = Part(0.25, 0.75)
    assert part.without(0.0, 0.5) == Part(0.5, 0.75)
    assert part.without(0.5, 1.0) == Part(0.25, 0.5)
    assert part.without(0.0, 1.0).share(12) == 0
    assert part.without(0.0, 0.25) == part.without(0.75, 1.0) == part.without(0.5, 0.5) == part
