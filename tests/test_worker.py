"""``python worker.py`` as operators start it."""

import asyncio
import json
import os
import sys
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from tests.world import an_account, world_on


async def test_a_temporal_without_the_namespace_ends_it_with_one_sentence(
    temporal: WorkflowEnvironment, tmp_path: Path
) -> None:
    database_url = f"sqlite+aiosqlite:///{tmp_path}/serienmail.db"
    async with world_on(temporal, tmp_path, database_url) as world:
        await world.contacts(1)
        await world.start("autumn")
        account = an_account(world.inbox.port).model_dump(mode="json")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "worker", stderr=asyncio.subprocess.PIPE,
            env=os.environ | {
                "SERIENMAIL_DATABASE_URL": database_url,
                "SERIENMAIL_LINK_KEY": "k" * 32,
                "SERIENMAIL_ACCOUNTS": json.dumps({"marketing": account}),
                "TEMPORAL_ADDRESS": temporal.client.service_client.config.target_host,
                "TEMPORAL_NAMESPACE": "missing",
            },
        )  # fmt: skip
        _, printed = await process.communicate()
    assert process.returncode == 1
    last = printed.decode().splitlines()[-1]
    assert last == "Temporal didn't do it (not_found); see that it runs and has the namespace."
