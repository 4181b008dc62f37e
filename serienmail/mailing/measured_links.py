"""The links in a template whose clicks can be measured: found in its source, and replaced by variables there."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from html import unescape
from urllib.parse import urlsplit

import jinja2

from serienmail.domain.template import Template
from serienmail.mailing.sandbox import TEXT, syntax_fault

MOST_LINKS = 200
"""Measured ones of a body: those after them stay as they are."""
_LONGEST = 2_000
# Attributes in front of href have no < or > here, so that a search ends at the next tag.
_HREF = re.compile(
    r"""(?P<before><(?:a|area)\s(?:[^<>"']|"[^"<>]*"|'[^'<>]*')*?(?<=[\s"'])href\s*=\s*(?P<quote>["']))"""
    r"""(?P<url>https?://[^"'<>\s]+)(?P<after>(?P=quote))""",
    re.IGNORECASE,
)
_IN_TEXT = re.compile(r"""(?P<before>)(?P<url>https?://[^\s<>"']*[^\s<>"'.,;:!?)\]*_])(?P<after>)""", re.IGNORECASE)
Replacement = Callable[[str], str | None]
"""For a target the variable that stands for it; None: the link stays."""


def targets(template: Template) -> tuple[str, ...]:
    """Where the links lead that can be measured, each once: absolute http or https, without placeholders."""
    found: dict[str, None] = {}
    _rewritten(template, found.setdefault)
    return tuple(found)


def with_variables(template: Template, ids: Mapping[str, int]) -> Template:
    """The template with ``link_url_<id>`` in place of these targets."""
    return _rewritten(template, lambda url: f"link_url_{ids[url]}" if url in ids else None)


def _rewritten(template: Template, variable: Replacement) -> Template:
    return replace(
        template,
        html=_part("html", template.html, _HREF, lambda url: variable(unescape(url))),
        text=_part("text", template.text, _IN_TEXT, variable),
    )


def _part(name: str, source: str, links: re.Pattern[str], variable: Replacement) -> str:
    left = MOST_LINKS

    def put(found: re.Match[str]) -> str:
        nonlocal left
        known = variable(found["url"]) if left and _is_target(found["url"]) else None
        left -= known is not None
        return f"{found['before']}{{{{ {known} }}}}{found['after']}" if known else found[0]

    pieces = [_replaced(text, links, put, cut_off) for text, cut_off in _pieces(name, source)]
    end = "\n" if source.endswith(("\n", "\r")) else ""  # Jinja2 drops one at the end, each time it reads
    return "".join(pieces) + end


def _replaced(text: str, links: re.Pattern[str], put: Callable[[re.Match[str]], str], cut_off: bool | None) -> str:
    if cut_off is None:
        return text
    return links.sub(lambda found: found[0] if cut_off and found.end() == len(text) else put(found), text)


def _pieces(name: str, source: str) -> Iterator[tuple[str, bool | None]]:
    """The source in pieces. None: a placeholder, condition or comment, where no links are looked for.

    Else words, and whether something else follows: what is filled in there may belong to a link at their end.
    """
    try:
        tokens = [(kind, value) for _, kind, value in TEXT.lex(source)]
    except jinja2.TemplateSyntaxError as error:
        raise syntax_fault(name, error) from None
    raw = False
    for number, (kind, value) in enumerate(tokens, start=1):
        raw = kind == "raw_begin" or (raw and kind != "raw_end")
        yield value, (number < len(tokens)) if kind == "data" and not raw else None


def _is_target(url: str) -> bool:
    try:
        parts = urlsplit(unescape(url))
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and len(url) <= _LONGEST and url.isprintable()
