"""One body of a mail: whichever way it is written, it has the same bytes, a way out, and the pixel if it should."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from serienmail.mailing.body import Body
from serienmail.mailing.plain_part import PlainPart, plain_part
from serienmail.mailing.quoted_printable import quoted_printable
from serienmail.mailing.sandbox import HTML, TEXT
from serienmail.mailing.template import JinjaPart

PIECES = ["{{ contact.a }}", "{{ unsubscribe_url }}", "</body>", "</BODY >", "</body", ">", "<p>Hallo</p>\n", "ü" * 90]
SOURCES = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


def variables(a: str) -> dict[str, Any]:
    return {
        "contact": {"a": a},
        "salutation": "Guten Tag",
        "unsubscribe_url": "https://x.example/u/1?a=1&b=2",
        "unsubscribe_word": "Abmelden",
        "pixel_url": "https://x.example/o/1.gif",
    }


@pytest.mark.parametrize(("html", "pixel"), [(False, False), (True, False), (True, True)])
@given(source=SOURCES, filling=st.text(min_size=1, max_size=20))
@example("<body></body{{ contact.a }}></body>", " ")
def test_a_plain_part_gives_the_bytes_that_rendering_gives(html: bool, pixel: bool, source: str, filling: str) -> None:
    sandbox = HTML if html else TEXT
    plain = plain_part(sandbox.read("html", source), html=html)
    by_jinja = JinjaPart("html", sandbox.compile_tree("html", sandbox.read("html", source)))
    assert plain is not None
    one, other = (encoded(part, filling, html, pixel) for part in (plain, by_jinja))
    assert one == other


def encoded(part: PlainPart | JinjaPart, filling: str, html: bool, pixel: bool) -> bytes:
    written = Body(part, html=html, pixel=pixel).written(variables(filling))
    return written if isinstance(written, bytes) else quoted_printable(written)


def test_an_ordinary_body_is_encoded_but_for_what_differs() -> None:
    part = plain_part(TEXT.read("text", "Guten Tag {{ contact.a }},\n\nes ist Herbst."), html=False)
    assert part is not None
    assert isinstance(Body(part, html=False).written(variables("Ida")), bytes)
