"""One body of a stage's mails: the template's words, a way to unsubscribe, which no mass mail may lack, and a pixel."""

import re
from collections.abc import Mapping
from typing import Any

from serienmail.mailing.plain_part import Hole, PlainPart
from serienmail.mailing.quoted_printable import Frame
from serienmail.mailing.template import Part

_URL, _WORD, _PIXEL = Hole("unsubscribe_url"), Hole("unsubscribe_word"), Hole("pixel_url")
_WAY_OUT = {
    False: PlainPart(("\n\n-- \n", ": ", "\n"), (_WORD, _URL), html=False),
    True: PlainPart(('<p><a href="', '">', "</a></p>"), (_URL, _WORD), html=True),
}
_IMAGE = PlainPart(('<img src="', '" width="1" height="1" alt="">'), (_PIXEL,), html=True)
_URL_ITSELF = {html: PlainPart(("", ""), (_URL,), html=html) for html in (False, True)}
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)
_BODY_END_BEGUN = re.compile(r"</body", re.IGNORECASE)


class Body:
    """Written for one recipient after the other. pixel: the image whose loading is an open goes into the HTML."""

    def __init__(self, part: Part, *, html: bool, pixel: bool = False) -> None:
        self._part = part
        self._html = html
        self._pixel = html and pixel
        self._plain = self._completed(part) if isinstance(part, PlainPart) and _has_clear_end(part) else None
        self._frame = Frame(self._plain.literals, self._plain.order) if self._plain else None

    def written(self, variables: Mapping[str, Any]) -> str | bytes:
        """The body; bytes are quoted-printable already. PlaceholderMissing or another TemplateFault if it can't be.

        variables: the template's own, ``unsubscribe_word``, and ``pixel_url`` if it has one.
        """
        if self._plain is None or self._frame is None:
            return self._rendered(variables)
        return self._frame.encoded(self._plain.fillings(variables)) or self._plain.render(variables)

    def _rendered(self, variables: Mapping[str, Any]) -> str:
        body = self._part.render(variables)
        if _URL_ITSELF[self._html].render(variables) not in body:
            body = self._with(body, _WAY_OUT[self._html].render(variables))
        return self._with(body, _IMAGE.render(variables)) if self._pixel else body

    def _with(self, body: str, addition: str) -> str:
        at = _end(body) if self._html else len(body)
        return f"{body[:at]}{addition}{body[at:]}"

    def _completed(self, part: PlainPart) -> PlainPart:
        """As ``_rendered``, once for all mails."""
        if _URL not in part.holes:
            part = _before_end(part, _WAY_OUT[self._html])
        return _before_end(part, _IMAGE) if self._pixel else part


def _end(body: str) -> int:
    """Before the last </body>; else the very end."""
    ends = [found.start() for found in _BODY_END.finditer(body)]
    return ends[-1] if ends else len(body)


def _before_end(part: PlainPart, addition: PlainPart) -> PlainPart:
    last = len(part.literals) - 1
    ending = [number for number, text in enumerate(part.literals) if addition.html and _BODY_END.search(text)]
    number = ending[-1] if ending else last
    text = part.literals[number]
    before, after = part.split(number, _end(text) if addition.html else len(text))
    return before + addition + after


def _has_clear_end(part: PlainPart) -> bool:
    """No placeholder stands inside a </body>: what is filled in would decide where the body ends."""
    return all(len(_BODY_END.findall(text)) == len(_BODY_END_BEGUN.findall(text)) for text in part.literals)
