"""Two mass mails on one account, sent by two workers that divide its connections: each gets about half."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from aiosmtpd.smtp import SMTP
from sqlalchemy import select
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from serienmail.storage.tables import delivery
from starter.services import open_services
from tests.mailing.smtp_server import Server, listening
from tests.world import World, an_account, world_on
from worker import build_workers

SPAN = timedelta(seconds=10)


class Unhurried(Server):
    """Takes a moment for each mail."""

    async def answer(self, command: str, server: SMTP) -> str | None:
        if command == "dot":
            await asyncio.sleep(0.05)
        return await super().answer(command, server)


@asynccontextmanager
async def two_workers(temporal: WorkflowEnvironment, folder: Path, database_url: str) -> AsyncIterator[World]:
    """They share the four connections of an account."""
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(listening(Unhurried()))
        accounts = {"shared": an_account(port, connections=4)}
        world = await stack.enter_async_context(world_on(temporal, folder, database_url, accounts=accounts))
        another = await stack.enter_async_context(open_services(world.services.settings))  # as in another process
        client = await Client.connect(
            temporal.client.service_client.config.target_host, data_converter=pydantic_data_converter
        )
        for worker in build_workers(client, another, role="send"):
            await stack.enter_async_context(worker)
        yield world


async def test_each_gets_about_half_in_every_ten_seconds(
    temporal: WorkflowEnvironment, tmp_path: Path, database_url: str
) -> None:
    async with two_workers(temporal, tmp_path, database_url) as world:
        await world.contacts(600)
        for name in ("autumn", "winter"):
            await world.start(name, account="shared", due=None)
        await asyncio.gather(*(world.mails.wait(name) for name in ("autumn", "winter")))
        autumn, winter = await handed_over(world, "autumn"), await handed_over(world, "winter")
    begin, end = max(autumn[0], winter[0]), min(autumn[-1], winter[-1])
    assert end - begin > SPAN
    while begin + SPAN <= end:
        both = [sum(begin <= at < begin + SPAN for at in times) for times in (autumn, winter)]
        assert 0.4 <= both[0] / sum(both) <= 0.6
        begin += timedelta(seconds=1)


async def handed_over(world: World, mass_mail: str) -> Sequence[datetime]:
    """When each of its mails was, in order."""
    at = delivery.c.handed_over_at
    async with world.services.database.read() as connection:
        found = select(at).where(delivery.c.mass_mail_id == mass_mail, at.is_not(None)).order_by(at)
        return (await connection.execute(found)).scalars().all()
