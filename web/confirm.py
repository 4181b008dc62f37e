"""The link in a request for consent: a page that asks, and the POST that confirms (double opt-in)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from serienmail.domain.consent import Asked, Purpose, Standing
from serienmail.mailing.links import LinkKind, Links
from web.pages import answer, masked, readers_choice


class Confirmations(Protocol):
    """Where consent is recorded."""

    async def find(self, number: int) -> Asked | None:
        """A request for consent; None if there is none any more."""

    async def confirm(self, number: int, at: datetime) -> Asked | None:
        """Consent is given, if the link is still good; how the request stands then. Safe to repeat."""


@dataclass(frozen=True, slots=True)
class Words:
    """What the pages say in one language. ask: by purpose."""

    language: str
    heading: str
    ask: dict[Purpose, str]
    button: str
    done: str
    done_text: str
    expired: str
    expired_text: str
    unknown: str
    unknown_text: str


GERMAN = Words(
    language="de",
    heading="Bitte bestätigen",
    ask={
        Purpose.MASS_MAIL: "Möchten Sie an diese Adresse Serien-E-Mails von uns erhalten?",
        Purpose.TRACKING: "Dürfen wir messen, ob E-Mails an diese Adresse geöffnet werden?",
    },
    button="Ja, ich stimme zu",
    done="Vielen Dank",
    done_text="Ihre Zustimmung ist gespeichert. Sie können sie jederzeit widerrufen.",
    expired="Link abgelaufen",
    expired_text="Dieser Link gilt nicht mehr; bitte lassen Sie sich einen neuen schicken.",
    unknown="Link ungültig",
    unknown_text="Dieser Link ist unvollständig oder ungültig; bitte öffnen Sie ihn noch einmal aus der E-Mail.",
)
ENGLISH = Words(
    language="en",
    heading="Please confirm",
    ask={
        Purpose.MASS_MAIL: "Would you like to get mass mail from us at this address?",
        Purpose.TRACKING: "May we measure whether mail to this address is opened?",
    },
    button="Yes, I agree",
    done="Thank you",
    done_text="Your consent is recorded. You can withdraw it at any time.",
    expired="Link expired",
    expired_text="This link isn't good any more; please ask for a new one.",
    unknown="Link not valid",
    unknown_text="This link is incomplete or not valid; please open it from the mail again.",
)


def confirm_routes(links: Links, confirmations: Confirmations) -> list[Route]:
    """``/c/<token>``: GET asks and changes nothing, because scanners follow every link; POST confirms."""

    async def ask(request: Request) -> HTMLResponse:
        ref = links.read(LinkKind.CONFIRM, request.path_params["token"])
        return page(request, None if ref is None else await confirmations.find(ref.number))

    async def confirm(request: Request) -> HTMLResponse:
        ref = links.read(LinkKind.CONFIRM, request.path_params["token"])
        return page(request, None if ref is None else await confirmations.confirm(ref.number, datetime.now(UTC)))

    def page(request: Request, asked: Asked | None) -> HTMLResponse:
        words = readers_choice(request.headers.get("accept-language", ""), GERMAN, ENGLISH)
        if asked is None:
            return answer("confirm.html", words, 404, page="unknown", address="", question="")
        standing = asked.standing(datetime.now(UTC))
        return answer(
            "confirm.html",
            words,
            410 if standing is Standing.EXPIRED else 200,
            page=standing,
            address=masked(asked.address),
            question=words.ask[asked.purpose],
        )

    return [Route("/c/{token}", ask), Route("/c/{token}", confirm, methods=["POST"])]
