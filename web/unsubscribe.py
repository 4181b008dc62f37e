"""The way out of mass mail, of one topic or of all, and back in: a page that asks, and the POST that does it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from serienmail.mailing.links import LinkKind, Links, MailRef
from web.pages import answer, masked, readers_choice
from web.recording import PATIENCE, OptOut

log = logging.getLogger(__name__)


class Recipient(Protocol):
    """Whom a mail went to. topic: what it is about; empty if it has none."""

    @property
    def address(self) -> str:
        """As the CRM wrote it."""

    @property
    def topic(self) -> str:
        """In words that its recipients read."""


class Recipients(Protocol):
    """Whom mails went to."""

    async def recipient_of(self, number: int, stage: int, seq: int) -> Recipient | None:
        """Whom this mail went to; None if there is no such mail."""


class OptOutKeeper(Protocol):
    """Where opt-outs are kept."""

    async def opted(self, what: OptOut, mail: MailRef, at: datetime) -> None:
        """Keep what a recipient decided."""


@dataclass(frozen=True, slots=True)
class Somebody:
    """The recipient of a mail that can't be looked up now; what they ask for is kept all the same."""

    address: str = ""
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """What the pages say in one language."""

    language: str
    ask: str
    ask_text: str
    button: str
    ask_topic_text: str
    topic_button: str
    all_button: str
    done: str
    done_text: str
    topic_done_text: str
    again_button: str
    again: str
    again_text: str
    unknown: str
    unknown_text: str


GERMAN = Words(
    language="de",
    ask="Abmelden",
    ask_text="Möchten Sie an diese Adresse keine Serien-E-Mails mehr erhalten?",
    button="Ja, abmelden",
    ask_topic_text="Was möchten Sie an diese Adresse nicht mehr erhalten?",
    topic_button="Nichts mehr zu „{}“",
    all_button="Gar keine Serien-E-Mails mehr",
    done="Sie sind abgemeldet",
    done_text="An diese Adresse senden wir Ihnen keine Serien-E-Mails mehr.",
    topic_done_text="An diese Adresse senden wir Ihnen nichts mehr zu „{}“.",
    again_button="Das war ein Versehen: wieder anmelden",
    again="Sie sind wieder angemeldet",
    again_text="Ihre Abmeldung ist zurückgenommen.",
    unknown="Link ungültig",
    unknown_text="Dieser Link ist unvollständig oder ungültig; bitte öffnen Sie ihn noch einmal aus der E-Mail.",
)
ENGLISH = Words(
    language="en",
    ask="Unsubscribe",
    ask_text="Would you like to get no more mass mail at this address?",
    button="Yes, unsubscribe",
    ask_topic_text="What would you like not to get any more at this address?",
    topic_button="No more about “{}”",
    all_button="No more mass mail at all",
    done="You are unsubscribed",
    done_text="We will send no more mass mail to this address.",
    topic_done_text="We will send nothing more about “{}” to this address.",
    again_button="That was a mistake: subscribe again",
    again="You are subscribed again",
    again_text="Your opt-out is taken back.",
    unknown="Link not valid",
    unknown_text="This link is incomplete or not valid; please open it from the mail again.",
)


def unsubscribe_routes(links: Links, recipients: Recipients, keeper: OptOutKeeper) -> list[Route]:
    """``/u/<token>``: GET asks and changes nothing, because scanners follow every link; POST unsubscribes.

    A mail program's one-click POST (RFC 8058) and the page's own button get the same answer: a page, at once,
    without cookie or redirect. A mail program ignores what it says. It stops the mail's topic, or all if it has none;
    ``/all`` stops all, and ``/again`` takes every opt-out back. Each is an address of its own, so no body is read.
    """

    async def ask(request: Request) -> HTMLResponse:
        return await page("ask", request, links.read(LinkKind.UNSUBSCRIBE, request.path_params["token"]))

    def keep(what: OptOut, name: str) -> Callable[[Request], Awaitable[HTMLResponse]]:
        async def kept(request: Request) -> HTMLResponse:
            ref = links.read(LinkKind.UNSUBSCRIBE, request.path_params["token"])
            if ref is not None:
                await keeper.opted(what, ref, datetime.now(UTC))
            return await page(name, request, ref)

        return kept

    async def page(name: str, request: Request, ref: MailRef | None) -> HTMLResponse:
        return _page(name, request, None if ref is None else await _recipient(recipients, ref))

    return [
        Route("/u/{token}", ask),
        Route("/u/{token}/{way}", ask),  # a page whose address was opened once more
        Route("/u/{token}", keep("unsubscribed", "done"), methods=["POST"]),
        Route("/u/{token}/all", keep("all_unsubscribed", "all_done"), methods=["POST"]),
        Route("/u/{token}/again", keep("subscribed", "again"), methods=["POST"]),
    ]


async def _recipient(recipients: Recipients, ref: MailRef) -> Recipient | None:
    try:
        async with asyncio.timeout(PATIENCE):
            return await recipients.recipient_of(ref.number, ref.stage, ref.seq)
    except Exception as error:  # each driver has its own, and all mean the same here
        log.warning("a recipient couldn't be looked up: %s", type(error).__name__)
        return Somebody()


def _page(name: str, request: Request, recipient: Recipient | None) -> HTMLResponse:
    words = readers_choice(request.headers.get("accept-language", ""), GERMAN, ENGLISH)
    if recipient is None:
        return answer("unsubscribe.html", words, 404, page="unknown")
    token = request.path_params["token"]
    here = token if request.url.path.endswith(token) else f"../{token}"  # relative: a proxy may add a prefix
    return answer(
        "unsubscribe.html", words, page=name, here=here, address=masked(recipient.address), topic=recipient.topic
    )
