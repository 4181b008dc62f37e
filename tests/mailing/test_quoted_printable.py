"""Bodies encoded at once, and bodies of which only what differs is encoded."""

from collections.abc import Sequence
from quopri import decodestring

from hypothesis import example, given
from hypothesis import strategies as st

from serienmail.mailing.quoted_printable import Frame, quoted_printable

LITERALS = (
    st.text("ab .=\tü€\n\r>\x01\0", max_size=60)
    | st.text("xy>ü", max_size=600)
    | st.sampled_from(["", ".", "ü" * 501])
)
FILLINGS = st.text(max_size=10) | st.text("ab .=ü", min_size=1, max_size=120) | st.sampled_from([".", "=", "x" * 75])


Case = tuple[list[str], list[int], list[str]]
"""Literals, which filling goes into each hole, and the fillings."""


@st.composite
def filled(draw: st.DrawFn) -> Case:
    literals = draw(st.lists(LITERALS, min_size=1, max_size=6))
    fillings = draw(st.lists(FILLINGS, min_size=1, max_size=3))
    order = [draw(st.integers(0, len(fillings) - 1)) for _ in literals[1:]]
    return literals, order, fillings


def whole(literals: Sequence[str], order: Sequence[int], fillings: Sequence[str]) -> str:
    return literals[0] + "".join(fillings[n] + literal for n, literal in zip(order, literals[1:], strict=True))


@given(filled())
@example((["", ""], [0], ["."]))
@example((["x" * 75, "x"], [0], ["."]))
@example((["x" * 74, ".\n", ""], [0, 0], ["ü"]))
@example((["", " ", "\t\n"], [0, 0], ["a "]))
@example((["", "\0"], [0], ["."]))
@example((["ü" * 501 + "\n", "x\n" + "ü" * 501], [0], ["."]))
def test_what_is_encoded_piece_by_piece_has_the_bytes_of_the_whole(case: Case) -> None:
    literals, order, fillings = case
    frame = Frame(literals, order)
    for _ in range(2):  # what was kept the first time, too
        assert frame.encoded(fillings) in (None, quoted_printable(whole(literals, order, fillings)))


@given(filled(), st.lists(st.text("ab .-", min_size=1, max_size=80), min_size=3, max_size=3))
@example((["Ort ", ": ", "\n"], [0, 0], ["x"]), ["a" * 80] * 3)
@example((["x" * 75, "x"], [0], ["x"]), ["a"] * 3)
@example((["", "\n"], [0], ["x"]), ["a"] * 3)
@example((["x" * 75 + "\n", "\n"], [0], ["x"]), ["aa "] * 3)
def test_what_was_kept_for_one_filling_serves_another_of_its_length(case: Case, others: list[str]) -> None:
    literals, order, _ = case
    frame = Frame(literals, order)
    for fillings in (["x" * len(other) for other in others], others):
        assert frame.encoded(fillings) in (None, quoted_printable(whole(literals, order, fillings)))


def test_a_case_that_there_is_no_room_to_keep_is_encoded_all_the_same() -> None:
    literals, order = ["", "\n" + "zwischen\n" * 100_000, ""], [0, 0]
    frame = Frame(literals, order)
    for filling in ("Köln", "Ulm", "Ort", "Ulm"):
        assert frame.encoded([filling]) == quoted_printable(whole(literals, order, [filling]))


@given(st.lists(st.text("ab c=ü", min_size=1, max_size=30), min_size=1, max_size=3))
def test_ordinary_names_go_in_piece_by_piece(fillings: list[str]) -> None:
    order = [0, len(fillings) - 1, 0]
    literals = ["Guten Tag ", ",\n\nin ", " ist Herbst: ", ".\n"]
    octets = Frame(literals, order).encoded(fillings)
    assert octets is not None
    assert decodestring(octets).decode() == whole(literals, order, fillings).replace("\n", "\r\n")


def test_a_filling_that_breaks_its_line_or_makes_it_a_long_one_is_for_the_whole() -> None:
    frame = Frame(["a", "b\nc", "d"], [0, 1])
    assert frame.encoded(["x", "y"]) == b"axb\r\ncyd"
    for other in ("", "x\ny", "\x00", "\ud800", "x" * 500):
        assert frame.encoded(["x", other]) is None
