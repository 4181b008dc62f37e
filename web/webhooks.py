"""What mail providers tell about our mails: ``POST /webhooks/<provider>``."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

import httpx
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from serienmail.domain.errors import Forged
from serienmail.domain.feedback import Feedback
from serienmail.mailing.links import Links
from serienmail.mailing.providers import news_from
from serienmail.mailing.signatures import Fetch, SnsEnvelopes, check_mailgun, check_password, check_sendgrid

MOST_BYTES = 5_242_880
"""Of a body; providers send batches of some thousand events."""
_LARGEST_CERTIFICATE = 65_536

log = logging.getLogger(__name__)


class News(Protocol):
    """Where feedback is kept."""

    async def record(self, news: Sequence[Feedback]) -> None:
        """Return when it is committed. Safe to repeat."""


def webhook_routes(links: Links, secrets: Mapping[str, str], news: News, fetch: Fetch) -> list[Route]:
    """200 when the events are stored; 403 for a wrong signature, 404 for a provider that isn't configured,
    503 while its certificate can't be fetched.

    secrets: by provider.
    """
    envelopes = SnsEnvelopes(fetch)

    async def webhook(request: Request) -> PlainTextResponse:
        provider = request.path_params["provider"]
        if provider not in secrets:
            return PlainTextResponse("This provider isn't configured here.\n", status_code=404)
        body = await _body(request)
        if body is None:
            return PlainTextResponse(f"At most {MOST_BYTES} bytes are read here.\n", status_code=413)
        now = datetime.now(UTC)
        try:
            body = await checked(provider, request, body, now)
            events = news_from(provider, body, links, now)
        except Forged as error:
            log.warning("a webhook of %s was refused: %s", provider, error)
            return PlainTextResponse("The signature is wrong.\n", status_code=403)
        except ConnectionError as error:
            log.warning("a webhook of %s couldn't be checked: %s", provider, error)
            return PlainTextResponse("It can't be checked now; send it again.\n", status_code=503)
        except (ValueError, RecursionError):
            return PlainTextResponse("This isn't what the provider sends.\n", status_code=400)
        await news.record(events)
        return PlainTextResponse("stored\n")

    async def checked(provider: str, request: Request, body: bytes, now: datetime) -> bytes:
        secret = secrets[provider]
        match provider:
            case "ses":
                return await envelopes.open(body, secret, now)
            case "sendgrid":
                check_sendgrid(request.headers, body, secret, now)
            case "mailgun":
                check_mailgun(body, secret, now)
            case _:
                check_password(request.headers, secret)
        return body

    return [Route("/webhooks/{provider}", webhook, methods=["POST"])]


async def _body(request: Request) -> bytes | None:
    """All of it; None if it is too large, whatever its length was said to be."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            return None
    return bytes(body)


async def fetch(url: str) -> bytes:
    """Get a small file; ConnectionError if that fails."""
    try:
        async with httpx.AsyncClient(timeout=10) as client, client.stream("GET", url) as response:
            response.raise_for_status()
            content = bytearray()
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > _LARGEST_CERTIFICATE:
                    raise ConnectionError("the answer is too long for a certificate")
            return bytes(content)
    except httpx.HTTPError as error:
        raise ConnectionError(f"the provider's certificate can't be fetched: {type(error).__name__}") from None
