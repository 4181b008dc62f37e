"""Other systems are told on a real socket, signed, and nowhere else than the settings say."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from pydantic import SecretStr, ValidationError

from serienmail.domain.errors import HookAway, HookRefused
from serienmail.domain.trigger import HookNews
from serienmail.mailing.hooks import Hook, Hooks, signature
from tests.builders import NOON

KEY = b"k" * 32
SECRET = SecretStr(f"whsec_{base64.b64encode(KEY).decode()}")
NEWS = HookNews("crm", "autumn/0/1/opened", "opened", NOON, "autumn", 0, 1, "contact", "K-1", None)


@dataclass
class OtherSystem:
    """Answers each request with what is said here, and keeps what came."""

    url: str = ""
    answer: bytes | None = b"HTTP/1.1 204 No Content\r\n\r\n"
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head)}
        self.bodies.append(await reader.readexactly(int(headers["content-length"])))
        self.headers.append(headers)
        if self.answer is None:
            await reader.read()  # until the other side gives up
        else:
            writer.write(self.answer)
        writer.close()


@asynccontextmanager
async def other_system() -> AsyncIterator[OtherSystem]:
    """On this machine."""
    system = OtherSystem()
    server = await asyncio.start_server(system.serve, "127.0.0.1", 0)
    system.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?from=serienmail"
    async with server:
        yield system


def told_to(system: OtherSystem, timeout: float = 10) -> Hooks:
    """The hook ``crm`` at noon."""
    return Hooks({"crm": Hook(url=system.url, secret=SECRET)}, NOON.timestamp, timeout)


async def test_what_is_told_is_signed_with_its_id_and_time() -> None:
    async with other_system() as system:
        await told_to(system).tell(NEWS)
    headers, body = system.headers[0], system.bodies[0]
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (NEWS.id, str(int(NOON.timestamp())))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    assert headers["webhook-signature"] == "v1," + base64.b64encode(hmac.digest(KEY, signed, "sha256")).decode()
    data = {"mass_mail": "autumn", "stage": 0, "recipient": 1, "module": "contact", "contact": "K-1", "link": None}
    assert json.loads(body) == {"type": "mail.opened", "timestamp": "2026-03-02T12:00:00+00:00", "data": data}


def test_the_signature_is_that_of_the_specification_s_example() -> None:
    hook = Hook(url="https://a.example", secret=SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    signed = signature(hook, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("status", [500, 503, 429, 408])
async def test_a_system_that_is_busy_is_told_again_later(status: int) -> None:
    async with other_system() as system:
        system.answer = f"HTTP/1.1 {status} Busy\r\nContent-Length: 0\r\n\r\n".encode()
        with pytest.raises(HookAway, match=f"answered {status}; it is tried again"):
            await told_to(system).tell(NEWS)


async def test_a_system_that_is_down_is_told_again_later() -> None:
    async with other_system() as system:
        pass
    with pytest.raises(HookAway, match=r"can't be reached \(ConnectError\)"):
        await told_to(system).tell(NEWS)


async def test_a_system_that_says_nothing_is_given_up_for_now() -> None:
    async with other_system() as system:
        system.answer = None
        with pytest.raises(HookAway, match="ReadTimeout"):
            await told_to(system, timeout=0.2).tell(NEWS)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 410])
async def test_a_refusal_and_a_redirect_are_final_and_nobody_else_is_told(status: int) -> None:
    async with other_system() as elsewhere, other_system() as system:
        system.answer = f"HTTP/1.1 {status} No\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n".encode()
        with pytest.raises(HookRefused, match=f"answered {status}; correct"):
            await told_to(system).tell(NEWS)
        assert elsewhere.bodies == []


async def test_an_answer_without_end_is_not_read() -> None:
    async with other_system() as system:
        system.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n" + b"x" * 1000
        await told_to(system).tell(NEWS)
    assert len(system.bodies) == 1


async def test_a_hook_that_the_settings_do_not_name_any_more_is_refused() -> None:
    with pytest.raises(HookRefused, match="no hook 'erp' in the settings any more"):
        await Hooks({}).tell(replace(NEWS, hook="erp"))


@pytest.mark.parametrize("url", ["http://crm.example.org/", "ftp://127.0.0.1/", "https://", "https://user@a.example/",
                                 "http://127.0.0.1.example.org/"])  # fmt: skip
def test_only_https_or_one_s_own_machine_is_told(url: str) -> None:
    with pytest.raises(ValidationError, match="must be an https"):
        Hook(url=url, secret=SECRET)


@pytest.mark.parametrize("secret", ["", "whsec_", "guessed", f"whsec_{base64.b64encode(KEY[:16]).decode()}", "whsec_*"])
def test_a_secret_that_could_be_guessed_is_refused_and_never_shown(secret: str) -> None:
    with pytest.raises(ValidationError, match="24 bytes or more in base64") as refused:
        Hook(url="https://crm.example.org/", secret=SecretStr(secret))
    assert "guessed" not in str(refused.value)
