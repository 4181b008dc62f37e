"""The picture in a mail whose loading says that the mail was opened."""

from base64 import b64decode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serienmail.mailing.links import LinkKind, Links
from web.click import VisitKeeper, keep
from web.visitors import Visitors

GIF = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""One transparent dot."""


def pixel_routes(links: Links, visitors: Visitors, keeper: VisitKeeper) -> list[Route]:
    """``/o/<token>.gif``: the same answer whatever the token, so that it tells nothing to somebody who guesses."""

    async def pixel(request: Request) -> Response:
        ref = links.read(LinkKind.OPEN, request.path_params["token"])
        if ref is not None:
            await keep(keeper, visitors.visit(request, ref))
        return Response(GIF, media_type="image/gif")

    return [Route("/o/{token}.gif", pixel)]
