"""Replies are read the same however the network cuts them, and nothing else passes for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serienmail.mailing.reply_reader import Garbage, ReplyReader, WireReply

CODES = st.integers(200, 599)
TEXTS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=40)


@given(st.lists(st.tuples(CODES, st.lists(TEXTS, min_size=1, max_size=4)), min_size=1, max_size=4), st.data())
def test_replies_are_whole_wherever_they_are_cut(replies: list[tuple[int, list[str]]], data: st.DataObject) -> None:
    wire = b""
    for code, lines in replies:
        wire += b"".join(f"{code}-{line}\r\n".encode() for line in lines[:-1]) + f"{code} {lines[-1]}\r\n".encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(wire)), max_size=10)))
    reader, read = ReplyReader(), list[WireReply]()
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        read += reader.feed(wire[start:end])
    assert [(code, len(text)) for code, text in read] == [(code, len(" ".join(lines))) for code, lines in replies]
    assert reader.is_between_replies


def test_a_text_is_one_printable_line() -> None:
    assert list(ReplyReader().feed(b"250-\x1b[2J\t\xff\r\n250 \xc3\xa4\r\n")) == [(250, " [2J � ä")]


def test_a_reply_may_be_a_bare_code() -> None:
    assert list(ReplyReader().feed(b"250\r\n")) == [(250, "")]


@pytest.mark.parametrize(
    "wire",
    [b"250 ok\n", b"25 ok\r\n", b"150 ok\r\n", b"650 ok\r\n", b"250ok\r\n", b"\r\n", b"250 a\rb\r\n", b"250 \0\r\n"],
)
def test_anything_else_is_garbage(wire: bytes) -> None:
    with pytest.raises(Garbage):
        list(ReplyReader().feed(wire))


@pytest.mark.parametrize("wire", [b"x" * 40_000, b"250-" + b"x" * 40_000 + b"\r\n", b"250-xx\r\n" * 10_000])
def test_an_endless_reply_is_garbage(wire: bytes) -> None:
    with pytest.raises(Garbage):
        list(ReplyReader().feed(wire))
