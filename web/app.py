"""The web application: its routes, and what holds for every answer."""

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from sqlalchemy import text

from serienmail.mailing.links import Links
from serienmail.settings import Settings
from serienmail.storage.consent_requests import ConsentRequestStore
from serienmail.storage.database import Database
from serienmail.storage.feedback import FeedbackStore
from serienmail.storage.tracking import Tracking
from web.confirm import Confirmations, confirm_routes
from web.health import Ping, health_routes
from web.pixel import Opens, pixel_routes
from web.unsubscribe import OptOuts, unsubscribe_routes
from web.webhooks import MOST_BYTES, fetch, webhook_routes

MOST_BODY = 4096
"""Bytes. A one-click POST has 26; only webhooks' bodies are read, so that others stay in the server's own buffer."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer; a page may widen the policy for its own style."""

SORRY = (
    "Das hat leider nicht geklappt; bitte versuchen Sie es in einigen Minuten noch einmal.\n"
    "Sorry, that didn't work; please try again in a few minutes.\n"
)


class Records(Opens, OptOuts, Protocol):
    """All that the routes record."""


def compose(settings: Settings, database: Database) -> FastAPI:
    """The application on real storage. The caller opens and closes the database."""

    async def ping() -> None:
        async with database.read() as connection:
            await connection.execute(text("SELECT 1"))

    links = Links(settings.web_base_url, settings.link_key.get_secret_value().encode())
    app = create_app(links, Tracking(database), ConsentRequestStore(database), ping)
    secrets = {str(provider): secret.get_secret_value() for provider, secret in settings.webhooks.items()}
    app.include_router(webhook_routes(links, secrets, FeedbackStore(database, settings.soft_bounces), fetch))
    return app


def create_app(links: Links, records: Records, confirmations: Confirmations, ping: Ping) -> FastAPI:
    """The application on any storage."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(pixel_routes(links, records))
    app.include_router(unsubscribe_routes(links, records))
    app.include_router(confirm_routes(links, confirmations))
    app.include_router(health_routes(ping))
    app.middleware("http")(_guard)
    app.add_exception_handler(Exception, _apologise)
    logging.getLogger("uvicorn.access").addFilter(_without_people)
    return app


async def _guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    most = MOST_BYTES if request.url.path.startswith("/webhooks/") else MOST_BODY
    if int(request.headers.get("content-length", 0)) > most:
        response: Response = PlainTextResponse(f"At most {most} bytes are read here.\n", status_code=413)
    else:
        response = await answer(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


async def _apologise(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse(SORRY, status_code=500, headers=HEADERS)


def _without_people(line: logging.LogRecord) -> bool:
    """An access log with tokens would let its readers unsubscribe people; with addresses of clients, identify them."""
    if isinstance(line.args, tuple) and len(line.args) == 5:  # uvicorn's: client, method, path, version, status
        _client, method, path, version, status = line.args
        line.args = ("-", method, f"/{str(path).lstrip('/').split('/')[0]}", version, status)
    return True
