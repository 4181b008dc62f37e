"""The real command line as people run it: a process of its own, on the installation of a test's world."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.testing import WorkflowEnvironment

from serienmail.mailing.identity import MailSettings
from tests.world import OWNER, World, world_on


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Its output, which is exactly one JSON document."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Runs commands in a folder, with these environment variables and no others."""

    world: World
    folder: Path
    variables: dict[str, str]

    async def __call__(self, *arguments: str, answer: str = "", **variables: str) -> Ran:
        process = await self.open(*arguments, **variables)
        out, err = await process.communicate(answer.encode())
        return Ran(process.returncode or 0, out.decode(), err.decode())

    async def open(self, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
        """A command that runs, with its three streams as pipes."""
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "starter", *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            cwd=self.folder, env={**self.variables, **variables},
        )  # fmt: skip

    def write(self, name: str, content: str) -> str:
        """A file in the folder; its path."""
        path = self.folder / name
        path.write_text(content, "utf-8")
        return str(path)


@asynccontextmanager
async def installation(
    temporal: WorkflowEnvironment, folder: Path, *, permitted: str = "[]", mail: Mapping[str, str] | None = None
) -> AsyncIterator[CommandLine]:
    """An installation on SQLite with workers, and its command line. permitted, mail: as the environment says it."""
    url = f"sqlite+aiosqlite:///{folder}/serienmail.db"
    parts = {"permitted": tuple(json.loads(permitted)), "mail": _settings(mail or {})}
    async with world_on(temporal, folder, url, **parts) as world:
        variables = {
            "SERIENMAIL_DATABASE_URL": url,
            "SERIENMAIL_LINK_KEY": "k" * 32,
            "SERIENMAIL_ACCOUNTS__MARKETING__HOST": "127.0.0.1",
            "SERIENMAIL_ACCOUNTS__MARKETING__PORT": str(world.inbox.port),
            "SERIENMAIL_ACCOUNTS__MARKETING__FROM_ADDRESS": "mailing@example.com",
            "SERIENMAIL_ACCOUNTS__MARKETING__PERMITTED": permitted,
            **{f"SERIENMAIL_MAIL__{name.upper()}": value for name, value in (mail or {}).items()},
            "SERIENMAIL_USER": OWNER,
            "TEMPORAL_ADDRESS": temporal.client.service_client.config.target_host,
            "NO_COLOR": "1",
            "COLUMNS": "80",
        }
        yield CommandLine(world, folder, variables)


def _settings(mail: Mapping[str, str]) -> MailSettings:
    return MailSettings.model_validate({**mail, "people": json.loads(mail.get("people", "{}"))})
