"""Whether this process can do its work, asked by whatever runs it."""

import asyncio
import logging
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

PATIENCE = 3.0
"""Seconds the database may take to answer: less than the health check itself may."""

log = logging.getLogger(__name__)


class Ping(Protocol):
    """Asks the database for an answer."""

    async def __call__(self) -> None:
        """Return when it answered, raise if it can't."""


def health_routes(ping: Ping) -> list[Route]:
    """``/health``: 200 when the database answers, else 503."""

    async def health(_request: Request) -> JSONResponse:
        try:
            async with asyncio.timeout(PATIENCE):
                await ping()
        except Exception as error:  # each driver has its own, and all mean the same here
            log.warning("the database doesn't answer: %s", type(error).__name__)
            return JSONResponse({"status": "the database doesn't answer"}, status_code=503)
        return JSONResponse({"status": "ok"})

    return [Route("/health", health)]
