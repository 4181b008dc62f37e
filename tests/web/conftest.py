"""The web application behind a real socket, on each database, with one mass mail in the ledger."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from sqlalchemy import insert
from starlette.applications import Starlette

from serienmail.domain.consent import Asked
from serienmail.domain.judging import MachineList
from serienmail.mailing.links import Links
from serienmail.settings import Settings
from serienmail.storage.database import Database
from serienmail.storage.tables import delivery, mass_mail
from web.app import Adapters, compose, create_app
from web.recording import Recording
from web.spool import Spool
from web.visitors import Visitors

KEY = "0123456789abcdef0123456789abcdef"


@contextlib.asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """A client of this application, which listens on a free port of loopback."""
    listening = socket.create_server(("127.0.0.1", 0))  # so clients can connect before the server accepts
    server = uvicorn.Server(uvicorn.Config(app, server_header=False, log_config=None, ws="none"))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        yield client
    server.should_exit = True
    await task


@pytest.fixture
def links() -> Links:
    """Links as the mails carry them."""
    return Links("", KEY.encode())


@pytest.fixture
async def client(database: Database, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the composed application."""
    settings = Settings(link_key=SecretStr(KEY), database_url=database.url, spool=tmp_path / "spool")
    async with served(compose(settings, database)) as client:
        yield client


class BrokenStorage:
    """Storage that fails each time, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def _fail(self, *_asked: object, **_how: object) -> NoReturn:
        self.asked += 1
        raise OSError("disk full")

    recipient_of = unsubscribed = subscribed = target = record = judge = _fail


class BrokenConfirmations:
    """Storage that fails each time."""

    async def find(self, number: int) -> Asked | None:
        raise OSError("disk full")

    async def confirm(self, number: int, at: datetime) -> Asked | None:
        raise OSError("disk full")


async def no_answer() -> None:
    """A database that can't be asked."""
    raise OSError("connection refused")


def broken_app(links: Links, spool: Spool) -> Starlette:
    """An application whose database fails each time."""
    storage = BrokenStorage()
    recording = Recording(storage, storage, spool)
    adapters = Adapters(storage, recording, storage, BrokenConfirmations(), no_answer)
    return create_app(links, Visitors(MachineList(), KEY.encode()), adapters)


@pytest.fixture
async def broken(links: Links, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application whose database fails."""
    async with served(broken_app(links, Spool(tmp_path / "spool"))) as client:
        yield client


@pytest.fixture
async def full(links: Links, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application whose database fails, and whose disk is full."""
    spool = Spool(tmp_path / "spool")
    for name in ("incoming", "leaving"):
        (tmp_path / f"spool/{name}.jsonl").mkdir()
    async with served(broken_app(links, spool)) as client:
        yield client


async def a_mass_mail(database: Database, *mails: dict[str, Any], topic: str = "") -> None:
    """Mass mail number 1 with these mails, to Anna and sent unless told otherwise; ``seq`` counts from 1."""
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    order = {
        "id": "m1", "number": 1, "name": "Herbst", "created_by": "anna", "status": {}, "version": 0,
        "state": "sending", "created_at": now, "topic": topic,
    }  # fmt: skip
    mail = {
        "mass_mail_id": "m1", "stage": 0, "contact_id": 1, "address": "anna@example.org",
        "address_key": "anna@example.org", "state": "sent", "reason": "", "epoch": 1, "template": "",
        "tracked": True, "doubted": False, "attempts": 1, "reply": "", "message_id": "",
    }  # fmt: skip
    async with database.write() as connection:
        await connection.execute(insert(mass_mail).values(order))
        for seq, columns in enumerate(mails, start=1):
            await connection.execute(insert(delivery).values(mail | {"seq": seq} | columns))
