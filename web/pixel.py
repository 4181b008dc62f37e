"""The picture in a mail whose loading says that the mail was opened."""

import logging
from base64 import b64decode
from datetime import UTC, datetime
from typing import Protocol

from fastapi import APIRouter, Request, Response

from serienmail.mailing.links import LinkKind, Links

GIF = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""One transparent dot."""

log = logging.getLogger(__name__)


class Opens(Protocol):
    """Where opens are recorded."""

    async def opened(self, number: int, stage: int, seq: int, at: datetime) -> None:
        """Record an open, if that mail measures opens."""


def pixel_routes(links: Links, opens: Opens) -> APIRouter:
    """``/o/<token>.gif``: the same answer whatever the token, so that it tells nothing to somebody who guesses."""
    routes = APIRouter()

    @routes.api_route("/o/{token}.gif", methods=["GET", "HEAD"])
    async def pixel(token: str, request: Request) -> Response:
        ref = links.read(LinkKind.OPEN, token)
        if ref is not None and request.method == "GET":  # people's mail programs don't ask with HEAD, machines do
            try:
                await opens.opened(ref.number, ref.stage, ref.seq, datetime.now(UTC))
            except Exception as error:  # whatever it is: a broken picture in somebody's mail wouldn't mend it
                log.warning("an open wasn't recorded: %s", type(error).__name__)
        return Response(GIF, media_type="image/gif")

    return routes
