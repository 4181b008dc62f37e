"""A link in a mail whose click is measured: recorded, and sent on to where it leads."""

import asyncio
import logging
from typing import Protocol

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from serienmail.mailing.links import Links
from serienmail.storage.visits import VisitTo
from web.recording import PATIENCE
from web.visitors import Visitors

UNKNOWN = (
    "Dieser Link ist unvollständig oder ungültig; bitte öffnen Sie ihn noch einmal aus der E-Mail.\n"
    "This link is incomplete or not valid; please open it from the mail again.\n"
)
log = logging.getLogger(__name__)


class Targets(Protocol):
    """Where measured links lead."""

    async def target(self, link: int) -> str | None:
        """None if there is no link of this id."""


class VisitKeeper(Protocol):
    """Where visits are kept."""

    async def visited(self, visit: VisitTo) -> None:
        """Keep a visit."""


def click_routes(links: Links, visitors: Visitors, keeper: VisitKeeper, targets: Targets) -> list[Route]:
    """``/l/<token>``: it leads to targets in the database alone, so that nobody can make our links lead elsewhere."""

    async def click(request: Request) -> Response:
        ref = links.read_link(request.path_params["token"])
        if ref is None:
            return PlainTextResponse(UNKNOWN, 404)
        await keep(keeper, visitors.visit(request, ref.mail, ref.link))
        async with asyncio.timeout(PATIENCE):
            target = await targets.target(ref.link)
        return RedirectResponse(target, 302) if target else PlainTextResponse(UNKNOWN, 404)

    return [Route("/l/{token}", click)]


async def keep(keeper: VisitKeeper, visit: VisitTo) -> None:
    """Keep a visit if it can be: whoever reads a mail has nothing of an error page."""
    try:
        await keeper.visited(visit)
    except Exception as error:  # whatever it is: the disk is full, say
        log.warning("a visit wasn't recorded: %s", type(error).__name__)
