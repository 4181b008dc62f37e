"""Tells other systems what a recipient set off, signed as the Standard Webhooks specification says."""

import base64
import binascii
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Annotated
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from serienmail.domain.errors import HookAway, HookRefused
from serienmail.domain.trigger import HookNews

PREFIX = "whsec_"
SHORTEST_SECRET = 24
"""Bytes, as the specification wants it."""
TIMEOUT = 10.0
"""Seconds for each of connecting, writing and the answer's first line."""
_LATER = frozenset({408, 409, 425, 429})
"""Besides 5xx: it may take the same later."""


def _url(url: str) -> str:
    parts = urlsplit(url)
    own_machine = parts.hostname in ("127.0.0.1", "::1", "localhost")
    safe = parts.scheme == "https" or (parts.scheme == "http" and own_machine)
    if not safe or not parts.hostname or parts.username or parts.fragment:
        raise ValueError("must be an https:// address such as 'https://crm.example.org/hooks/serienmail'")
    return url


def _secret(secret: SecretStr) -> SecretStr:
    if _key(secret) is None:
        raise ValueError(f"must be '{PREFIX}' and {SHORTEST_SECRET} bytes or more in base64")
    return secret


def _key(secret: SecretStr) -> bytes | None:
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        return None
    return key if text.startswith(PREFIX) and len(key) >= SHORTEST_SECRET else None


class Hook(BaseModel):
    """A system that triggers tell. secret: ``whsec_`` and what ``openssl rand -base64 32`` prints."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_url)] = Field(repr=False)
    secret: Annotated[SecretStr, AfterValidator(_secret)]


class Hooks:
    """The hooks of the settings. Redirects aren't followed, and an answer's body isn't read."""

    def __init__(
        self, hooks: Mapping[str, Hook], clock: Callable[[], float] = time.time, timeout: float = TIMEOUT
    ) -> None:
        self._hooks = hooks
        self._clock = clock
        self._timeout = timeout

    async def tell(self, news: HookNews) -> None:
        """POST it; returns when it was taken (2xx). HookAway: try again. HookRefused: it will never be taken."""
        hook = self._hooks.get(news.hook)
        if hook is None:
            raise HookRefused(f"There is no hook '{news.hook}' in the settings any more; add it, or edit the trigger.")
        body = json.dumps(news.to_document(), separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", **signature(hook, news.id, int(self._clock()), body)}
        try:
            async with (
                httpx.AsyncClient(timeout=self._timeout) as client,
                client.stream("POST", hook.url, content=body, headers=headers) as answer,
            ):
                status = answer.status_code
        except httpx.HTTPError as error:
            raise HookAway(
                f"The hook '{news.hook}' can't be reached ({type(error).__name__}); it is tried again by itself."
            ) from None
        if status in _LATER or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise HookAway(f"The hook '{news.hook}' answered {status}; it is tried again by itself.")
        if not httpx.codes.is_success(status):
            raise HookRefused(f"The hook '{news.hook}' answered {status}; correct its address, or the other system.")


def signature(hook: Hook, id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that prove who sent the body, and when (standardwebhooks.com, 1.0.0).

    timestamp: Unix time in seconds; a receiver refuses an old one, so that nobody can send a copy again.
    """
    signed = b".".join([id.encode(), str(timestamp).encode(), body])
    digest = hmac.digest(_key(hook.secret) or b"", signed, "sha256")
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
