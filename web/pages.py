"""Pages that recipients see: German or English, without scripts, and without anything that others could use."""

from pathlib import Path
from secrets import token_urlsafe
from typing import Any, Protocol, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

POLICY = "default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


class Words(Protocol):
    """What the pages of one kind say in one language."""

    @property
    def language(self) -> str:
        """``de`` or ``en``."""


W = TypeVar("W", bound=Words)


def answer(template: str, words: Words, status_code: int = 200, **fields: Any) -> HTMLResponse:
    """A page that may use its own style and nothing else."""
    nonce = token_urlsafe(16)
    html = _pages.get_template(template).render(words=words, nonce=nonce, **fields)
    return HTMLResponse(html, status_code, headers={"Content-Security-Policy": POLICY.format(nonce=nonce)})


def readers_choice(accept_language: str, *known: W) -> W:
    """The first language that the reader names; the first one known if they name none of them."""
    wishes = (wish.partition(";")[0].strip().lower()[:2] for wish in accept_language.split(","))
    return next((words for wish in wishes for words in known if wish == words.language), known[0])


def masked(address: str) -> str:
    """``anna@example.org`` as ``a***@example.org``: known to its owner, useless to whoever got the link forwarded."""
    local, _, domain = address.rpartition("@")
    return address and f"{local[:1]}***@{domain}"
