"""HTML bodies as templates have them: text made of them and the other way round, styles inlined, foreign ones cleaned.

Parsers take a placeholder for text, and move what may not stand where it stands, such as a loop between a table's
rows. So placeholders are hidden from them, as a word inside a tag and as a comment elsewhere, and come back as written.
"""

import re
from collections.abc import Callable
from copy import deepcopy
from html import escape

import css_inline
import nh3
from inscriptis import get_text
from inscriptis.model.config import ParserConfig

from serienmail.domain.errors import TemplateFault
from serienmail.mailing.sandbox import LONGEST_OUTPUT

_WORD = re.compile(r"serienmail(\d+)placeholder")
# What isn't closed goes on to the end, else each beginning would be looked through to the end, in vain.
_PLACEHOLDER = re.compile(
    rf"\{{\{{.*?(?:\}}\}}|\Z)|\{{%.*?(?:%\}}|\Z)|\{{#.*?(?:#\}}|\Z)|{_WORD.pattern}", re.DOTALL
)
_UNESCAPED = re.compile(r"\|\s*safe\b|\bautoescape\b")
_HIDDEN = re.compile(rf"<!--{_WORD.pattern}-->|{_WORD.pattern}(?:=\"\")?")  # a bare attribute gets an empty value
_COMMENT = re.compile(rf"<!--(?!{_WORD.pattern}-->).*?(?:-->|\Z)", re.DOTALL)
_TAG_OR_WORD = re.compile(
    rf"(<style.*?(?:</style\s*>|\Z)|<title.*?(?:</title\s*>|\Z)|<[^>]*(?:>|\Z))|({_WORD.pattern})",
    re.DOTALL | re.IGNORECASE,
)
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.IGNORECASE)
_NOT_NESTED = frozenset((
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
    "p", "li", "dt", "dd", "tr", "td", "th", "tbody", "thead", "tfoot", "option",
))  # fmt: skip
"""Empty elements, and those that the next of their kind ends."""
_DEEPEST = 500  # parsers overflow their stack, and end the process, at some thousand
_PARAGRAPHS = re.compile(r"\n\s*\n")

_LAYOUT = {"align", "valign", "width", "height", "bgcolor", "border", "cellpadding", "cellspacing"}
_ATTRIBUTES = deepcopy(nh3.ALLOWED_ATTRIBUTES) | {"*": {"style", "class", "dir", "lang", "title", "role", *_LAYOUT}}
_TAGS = nh3.ALLOWED_TAGS | {"center", "font"}
_SCHEMES = {"http", "https", "mailto", "tel", "cid"}
_SCRIPT_IN_STYLE = re.compile(r"expression\s*\(|javascript:|@import|behavior\s*:|-moz-binding|\\", re.IGNORECASE)


def text_from_html(html: str) -> str:
    """The text of an HTML body, with its links as ``[words](address)`` and its placeholders."""
    _check_extent(html)
    return _unseen(html, lambda words: get_text(words, ParserConfig(display_links=True)), comments=False).strip() + "\n"


def html_from_text(text: str) -> str:
    """A text body as a plain HTML page: paragraphs and line breaks, everything else literal."""

    def page(words: str) -> str:
        paragraphs = [escape(part.strip("\n"), quote=False) for part in _PARAGRAPHS.split(words) if part.strip()]
        return "".join("<p>" + part.replace("\n", "<br>\n") + "</p>\n" for part in paragraphs)

    body = _unseen(text, page, comments=False)
    style = "font-family: sans-serif; line-height: 1.5"
    return f'<!DOCTYPE html>\n<html>\n<body style="{style}">\n{body}</body>\n</html>\n'


def with_inline_styles(html: str) -> str:
    """The same page with its style sheet written into the tags, as many mail programs read no other.

    What can't be inlined, such as media queries, stays. Nothing is loaded from anywhere.
    """
    if "<style" not in html.casefold():
        return html
    _check_extent(html)
    inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)
    try:
        return _unseen(html, inliner.inline)
    except css_inline.InlineError:
        raise TemplateFault("the template's style sheet can't be read; correct it and save it again.") from None


def sanitised(html: str) -> str:
    """What mail needs of an HTML page from outside: its styles inlined; no scripts, forms, frames or event handlers.

    TemplateFault if a placeholder would print what nobody has cleaned.
    """
    if any(_UNESCAPED.search(placeholder[0]) for placeholder in _PLACEHOLDER.finditer(html)):
        raise TemplateFault("a template from outside can't use 'safe' or 'autoescape'; take them out.")

    _check_extent(html)

    def clean(words: str) -> str:
        kept = nh3.clean(
            words,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            url_schemes=_SCHEMES,
            link_rel=None,
            strip_comments=False,
            attribute_filter=_harmless,
            clean_content_tags={"script", "style", "title"},
        )
        return _COMMENT.sub("", kept)

    return _unseen(with_inline_styles(html), clean)


def _check_extent(html: str) -> None:
    if len(html) > LONGEST_OUTPUT:
        raise TemplateFault(f"the template has more than {LONGEST_OUTPUT:,} characters; shorten it.")
    depth = 0
    for closing, name in _TAG.findall(html):
        if name.casefold() not in _NOT_NESTED:
            depth = max(0, depth - 1) if closing else depth + 1
        if depth > _DEEPEST:
            raise TemplateFault(f"the template has more than {_DEEPEST} tags within each other; close them.")


def _harmless(tag: str, attribute: str, value: str) -> str | None:
    return None if attribute == "style" and _SCRIPT_IN_STYLE.search(value) else value


def _unseen(source: str, change: Callable[[str], str], *, comments: bool = True) -> str:
    """Change a source without its placeholders."""
    placeholders: list[str] = []

    def hide(found: re.Match[str]) -> str:
        placeholders.append(found[0])
        return f"serienmail{len(placeholders) - 1}placeholder"

    hidden = _PLACEHOLDER.sub(hide, source)
    if comments:
        hidden = _TAG_OR_WORD.sub(lambda found: found[1] or f"<!--{found[2]}-->", hidden)
    return _HIDDEN.sub(lambda found: placeholders[int(found[1] or found[2])], change(hidden))
