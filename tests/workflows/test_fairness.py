"""Two mass mails on one account, sent by two workers that divide its connections: neither waits for the other."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from aiosmtpd.smtp import SMTP
from sqlalchemy import func, select
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from serienmail.storage.tables import delivery
from starter.services import open_services
from tests.mailing.smtp_server import Server, listening
from tests.world import World, an_account, world_on
from worker import build_workers


class Unhurried(Server):
    """Takes a moment for each mail."""

    async def answer(self, command: str, server: SMTP) -> str | None:
        if command == "dot":
            await asyncio.sleep(0.05)
        return await super().answer(command, server)


async def test_while_both_are_sent_neither_waits_for_the_other(temporal: WorkflowEnvironment, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(listening(Unhurried()))
        accounts = {"shared": an_account(port, connections=4)}
        url = f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
        world = await stack.enter_async_context(world_on(temporal, tmp_path, url, accounts=accounts))
        another = await stack.enter_async_context(open_services(world.services.settings))  # as in another process
        client = await Client.connect(
            temporal.client.service_client.config.target_host, data_converter=pydantic_data_converter
        )
        for worker in build_workers(client, another, role="send"):
            await stack.enter_async_context(worker)
        await world.contacts(60)
        for name in ("autumn", "winter"):
            await world.start(name, account="shared", due=None)
        await asyncio.gather(*(world.mails.wait(name) for name in ("autumn", "winter")))
        autumn, winter = await counted(world)
        assert autumn + winter > 60
        # which worker gets which slice is chance; limits divide exactly (tests/activities/test_sharing.py)
        assert 0.2 <= autumn / (autumn + winter) <= 0.8


async def counted(world: World) -> tuple[int, ...]:
    """How many of each had gone out when the first of both was through, counted from when the second one began."""
    at = func.min(delivery.c.handed_over_at), func.max(delivery.c.handed_over_at)
    async with world.services.database.read() as connection:
        spans = (await connection.execute(select(*at).group_by(delivery.c.mass_mail_id))).all()
        both = delivery.c.handed_over_at.between(max(begin for begin, _ in spans), min(end for _, end in spans))
        by_mass_mail = select(func.count()).where(both).group_by(delivery.c.mass_mail_id)
        return tuple((await connection.execute(by_mass_mail.order_by(delivery.c.mass_mail_id))).scalars())
