"""The web application: its routes, and what holds for every answer."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy import text
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serienmail.mailing.links import Links
from serienmail.mailing.machine_list import read_machine_list
from serienmail.settings import Settings
from serienmail.storage.consent_requests import ConsentRequestStore
from serienmail.storage.database import Database
from serienmail.storage.feed import FeedStore
from serienmail.storage.feedback import FeedbackStore
from serienmail.storage.measured_links import MeasuredLinkStore
from serienmail.storage.statistics import StatisticsStore
from serienmail.storage.tracking import Tracking
from serienmail.storage.visits import VisitStore
from web.api import create_api
from web.click import Targets, click_routes
from web.confirm import Confirmations, confirm_routes
from web.health import Ping, health_routes
from web.pace import Paces
from web.pixel import pixel_routes
from web.recording import Recording
from web.spool import Spool
from web.unsubscribe import Recipients, unsubscribe_routes
from web.visitors import Visitors
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


@dataclass(frozen=True, slots=True)
class Adapters:
    """What the routes stand on."""

    recipients: Recipients
    recording: Recording
    targets: Targets
    confirmations: Confirmations
    ping: Ping


def compose(settings: Settings, database: Database) -> Starlette:
    """The application on real storage. The caller opens and closes the database."""

    async def ping() -> None:
        async with database.read() as connection:
            await connection.execute(text("SELECT 1"))

    key = settings.link_key.get_secret_value().encode()
    links = Links(settings.web_base_url, key)
    machines, tracking = read_machine_list(settings.machine_list), Tracking(database)
    adapters = Adapters(
        recipients=tracking,
        recording=Recording(VisitStore(database, machines), tracking, Spool(settings.spool)),
        targets=MeasuredLinkStore(database),
        confirmations=ConsentRequestStore(database),
        ping=ping,
    )
    secrets = {str(provider): secret.get_secret_value() for provider, secret in settings.webhooks.items()}
    feedback = FeedbackStore(database, settings.soft_bounces, settings.unmatched_days)
    more: list[BaseRoute] = [*webhook_routes(links, secrets, feedback, fetch)]
    if settings.api_key is not None:
        statistics = StatisticsStore(database, settings.known_providers)
        api = create_api(settings.api_key.get_secret_value(), statistics, FeedStore(database))
        more.append(Mount("/api", api))
    return create_app(links, Visitors(machines, key), adapters, more)


def create_app(links: Links, visitors: Visitors, adapters: Adapters, more: Sequence[BaseRoute] = ()) -> Starlette:
    """The application on any storage. more: what other systems ask for, and not recipients.

    Routes of Starlette: FastAPI's take twice as long, and only the API has parameters to describe.
    """

    @asynccontextmanager
    async def working(_app: Starlette) -> AsyncIterator[None]:
        async with adapters.recording.at_work():
            yield

    routes = (
        *pixel_routes(links, visitors, adapters.recording),  # most requests are for these two
        *click_routes(links, visitors, adapters.recording, adapters.targets),
        *unsubscribe_routes(links, adapters.recipients, adapters.recording),
        *confirm_routes(links, adapters.confirmations),
        *health_routes(adapters.ping),
        *more,
    )
    logging.getLogger("uvicorn.access").addFilter(_without_people)
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard)],
        exception_handlers={405: partial(_not_so, routes), Exception: _apologise},
        lifespan=working,
    )


class Guard:
    """Refuses large bodies and too many requests, and puts the headers on every answer. Plain ASGI: a middleware of
    FastAPI's kind would take as long as all the rest.
    """

    def __init__(self, app: ASGIApp, paces: Paces | None = None) -> None:
        self._app = app
        self._paces = paces or Paces()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await (self._refusal(scope) or self._app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        most = MOST_BYTES if scope["path"].startswith("/webhooks/") else MOST_BODY
        if int(Headers(scope=scope).get("content-length", 0)) > most:
            return PlainTextResponse(f"At most {most} bytes are read here.\n", 413)
        address = scope["client"][0] if scope.get("client") else ""
        if wait := self._paces.wait(address, scope["path"]):
            return PlainTextResponse(f"Too many requests; come again in {wait} s.\n", 429, {"Retry-After": str(wait)})
        return None


async def _not_so(routes: Sequence[BaseRoute], request: Request, error: HTTPException) -> Response:
    """RFC 9110 15.5.6 wants all methods of the path named, which several routes have among them."""
    there = [each for each in routes if isinstance(each, Route) and each.matches(request.scope)[0] is not Match.NONE]
    methods = {method for route in there for method in route.methods or ()}
    allowed = ", ".join(sorted(methods)) or (error.headers or {}).get("Allow", "")
    return PlainTextResponse(f"Only {allowed} is answered here.\n", 405, {"Allow": allowed})


async def _apologise(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse(SORRY, status_code=500, headers=HEADERS)


def _without_people(line: logging.LogRecord) -> bool:
    """An access log with tokens would let its readers unsubscribe people; with addresses of clients, identify them."""
    if isinstance(line.args, tuple) and len(line.args) == 5:  # uvicorn's: client, method, path, version, status
        _client, method, path, version, status = line.args
        line.args = ("-", method, f"/{str(path).lstrip('/').split('/')[0]}", version, status)
    return True
