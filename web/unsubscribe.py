"""The way out of all mass mail: a page that asks, and the POST that does it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe
from typing import Protocol

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from serienmail.mailing.links import LinkKind, Links, MailRef

POLICY = "default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"


class OptOuts(Protocol):
    """Where opt-outs are recorded."""

    async def recipient_of(self, number: int, stage: int, seq: int) -> str | None:
        """The address this mail went to; None if there is no such mail."""

    async def unsubscribed(self, number: int, stage: int, seq: int, at: datetime) -> bool:
        """No more mass mail to this mail's address; False if there is no such mail. Safe to repeat."""


@dataclass(frozen=True, slots=True)
class Words:
    """What the pages say in one language."""

    language: str
    ask: str
    ask_text: str
    button: str
    done: str
    done_text: str
    unknown: str
    unknown_text: str


GERMAN = Words(
    language="de",
    ask="Abmelden",
    ask_text="Möchten Sie an diese Adresse keine Serien-E-Mails mehr erhalten?",
    button="Ja, abmelden",
    done="Sie sind abgemeldet",
    done_text="An diese Adresse senden wir Ihnen keine Serien-E-Mails mehr.",
    unknown="Link ungültig",
    unknown_text="Dieser Link ist unvollständig oder ungültig; bitte öffnen Sie ihn noch einmal aus der E-Mail.",
)
ENGLISH = Words(
    language="en",
    ask="Unsubscribe",
    ask_text="Would you like to get no more mass mail at this address?",
    button="Yes, unsubscribe",
    done="You are unsubscribed",
    done_text="We will send no more mass mail to this address.",
    unknown="Link not valid",
    unknown_text="This link is incomplete or not valid; please open it from the mail again.",
)

_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def unsubscribe_routes(links: Links, opt_outs: OptOuts) -> APIRouter:
    """``/u/<token>``: GET asks and changes nothing, because scanners follow every link; POST unsubscribes.

    A mail program's one-click POST (RFC 8058) and the page's own button get the same answer: a page, at once,
    without cookie or redirect. A mail program ignores what it says.
    """
    routes = APIRouter()

    @routes.api_route("/u/{token}", methods=["GET", "HEAD"])
    async def ask(token: str, request: Request) -> HTMLResponse:
        ref = links.read(LinkKind.UNSUBSCRIBE, token)
        return await page("ask", request, ref)

    @routes.post("/u/{token}")
    async def unsubscribe(token: str, request: Request) -> HTMLResponse:
        ref = links.read(LinkKind.UNSUBSCRIBE, token)
        if ref is not None:
            await opt_outs.unsubscribed(ref.number, ref.stage, ref.seq, datetime.now(UTC))
        return await page("done", request, ref)

    async def page(name: str, request: Request, ref: MailRef | None) -> HTMLResponse:
        address = None if ref is None else await opt_outs.recipient_of(ref.number, ref.stage, ref.seq)
        words = _words(request.headers.get("accept-language", ""))
        if address is None:
            return _answer("unknown", words, status_code=404)
        return _answer(name, words, masked(address))

    return routes


def masked(address: str) -> str:
    """``anna@example.org`` as ``a***@example.org``: known to its owner, useless to whoever got the link forwarded."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"


def _answer(page: str, words: Words, address: str = "", status_code: int = 200) -> HTMLResponse:
    nonce = token_urlsafe(16)
    html = _pages.get_template("unsubscribe.html").render(page=page, words=words, address=address, nonce=nonce)
    return HTMLResponse(html, status_code, headers={"Content-Security-Policy": POLICY.format(nonce=nonce)})


def _words(accept_language: str) -> Words:
    """The reader's first choice among German and English; German if they name neither."""
    wishes = (wish.partition(";")[0].strip().lower()[:2] for wish in accept_language.split(","))
    return next((words for wish in wishes for words in (GERMAN, ENGLISH) if wish == words.language), GERMAN)
