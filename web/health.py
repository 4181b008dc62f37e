"""Whether this process can do its work, asked by whatever runs it."""

import asyncio
import logging
from typing import Protocol

from fastapi import APIRouter
from fastapi.responses import JSONResponse

PATIENCE = 3.0
"""Seconds the database may take to answer: less than the health check itself may."""

log = logging.getLogger(__name__)


class Ping(Protocol):
    """Asks the database for an answer."""

    async def __call__(self) -> None:
        """Return when it answered, raise if it can't."""


def health_routes(ping: Ping) -> APIRouter:
    """``/health``: 200 when the database answers, else 503."""
    routes = APIRouter()

    @routes.get("/health")
    async def health() -> JSONResponse:
        try:
            async with asyncio.timeout(PATIENCE):
                await ping()
        except Exception as error:  # each driver has its own, and all mean the same here
            log.warning("the database doesn't answer: %s", type(error).__name__)
            return JSONResponse({"status": "the database doesn't answer"}, status_code=503)
        return JSONResponse({"status": "ok"})

    return routes
