"""Webhooks over a real socket: stored before they are answered, and only if they are signed and configured."""

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import func, select
from starlette.applications import Starlette

from serienmail.domain.feedback import Feedback
from serienmail.mailing.links import Links, MailRef
from serienmail.settings import Settings
from serienmail.storage.database import Database
from serienmail.storage.tables import event, feedback, suppression
from tests.web.conftest import KEY, a_mass_mail, served
from web.app import compose
from web.webhooks import MOST_BYTES, webhook_routes

PASSWORD = ("serienmail", "secret")
OURS = Links("", KEY.encode())
MESSAGE_ID = OURS.message_id(MailRef(1, 0, 1), "example.com")
COMPLAINT = {"event": "spam", "message-id": MESSAGE_ID, "ts_epoch": 1_772_445_600_000}


@pytest.fixture
async def client(database: Database, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that knows one provider."""
    secrets: Any = {"brevo": SecretStr(":".join(PASSWORD))}
    stored = {"database_url": database.url, "spool": tmp_path / "spool"}
    settings = Settings(link_key=SecretStr(KEY), webhooks=secrets, **stored)
    async with served(compose(settings, database)) as client:
        yield client


async def counted(database: Database, table: Any) -> int:
    async with database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


async def test_a_complaint_is_stored_and_suppresses(database: Database, client: httpx.AsyncClient) -> None:
    await a_mass_mail(database, {})
    for _ in range(2):
        answer = await client.post("/webhooks/brevo", json=COMPLAINT, auth=PASSWORD)
        assert answer.status_code == 200
    assert await counted(database, suppression) == await counted(database, event) == 1


async def test_a_provider_that_isnt_configured_is_not_there(client: httpx.AsyncClient) -> None:
    assert (await client.post("/webhooks/mailjet", json=COMPLAINT, auth=PASSWORD)).status_code == 404
    assert (await client.post("/webhooks/nobody", json=COMPLAINT)).status_code == 404


async def test_a_wrong_password_changes_nothing(database: Database, client: httpx.AsyncClient) -> None:
    assert (await client.post("/webhooks/brevo", json=COMPLAINT, auth=("serienmail", "guess"))).status_code == 403
    assert (await client.post("/webhooks/brevo", json=COMPLAINT)).status_code == 403
    assert await counted(database, feedback) == 0


async def test_a_foreign_mail_is_kept_and_changes_nothing(database: Database, client: httpx.AsyncClient) -> None:
    foreign = {**COMPLAINT, "message-id": "<1@example.net>"}
    assert (await client.post("/webhooks/brevo", json=foreign, auth=PASSWORD)).status_code == 200
    assert (await counted(database, feedback), await counted(database, suppression)) == (1, 0)


async def test_what_isnt_json_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post("/webhooks/brevo", content=b"hello", auth=PASSWORD)).status_code == 400


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_that_is_too_large_is_refused(client: httpx.AsyncClient, declared: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(MOST_BYTES // 65_536 + 1):
            yield b" " * 65_536

    content: Any = b" " * (MOST_BYTES + 1) if declared else pieces()
    with contextlib.suppress(httpx.WriteError):  # the server may hang up while it is still sent
        assert (await client.post("/webhooks/brevo", content=content, auth=PASSWORD)).status_code == 413


async def test_what_cant_be_stored_is_to_be_told_again() -> None:
    class Away:
        async def record(self, news: Sequence[Feedback]) -> None:
            raise OSError("disk full")

    async def fetch(url: str) -> bytes:
        raise OSError("nothing is fetched here")

    app = Starlette(routes=webhook_routes(OURS, {"brevo": ":".join(PASSWORD)}, Away(), fetch))
    async with served(app) as client:
        answer = await client.post("/webhooks/brevo", content=json.dumps(COMPLAINT), auth=PASSWORD)
    assert answer.status_code == 500


async def test_while_a_certificate_cannot_be_fetched_it_is_to_be_told_again() -> None:
    class Nobody:
        async def record(self, news: Sequence[Feedback]) -> None:
            raise AssertionError("nothing is proved")

    async def fetch(url: str) -> bytes:
        raise ConnectionError("Amazon is away")

    now = datetime.now(UTC).isoformat()
    url = "https://sns.eu-central-1.amazonaws.com/x.pem"
    envelope = {"Type": "Notification", "TopicArn": "arn", "Timestamp": now, "SigningCertURL": url}
    app = Starlette(routes=webhook_routes(OURS, {"ses": "arn"}, Nobody(), fetch))
    async with served(app) as client:
        assert (await client.post("/webhooks/ses", json=envelope)).status_code == 503


async def test_a_body_nested_without_end_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/webhooks/brevo", content=b"[" * 100_000, auth=PASSWORD)
    assert answer.status_code == 400
