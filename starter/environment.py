"""The embedded environment: Temporal with its UI, SQLite, an inbox, the web endpoints and a worker, on this machine."""

import asyncio
import json
import os
import secrets
import shutil
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from rich.console import Console
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.errors import EnvironmentFault
from serienmail.mailing.account import Account
from serienmail.mailing.identity import MailSettings
from serienmail.settings import Settings
from serienmail.storage.database import Database
from serienmail.storage.migration import migrate
from starter.client import MassMails
from starter.inbox import Inbox
from starter.temporal_server import start_temporal, until_gone

ACCOUNT = "marketing"
MARKETING = Account(host="127.0.0.1", from_address="marketing@serienmail.example", from_name="Marketing")
MAIL = MailSettings()
READY_WITHIN = 30.0
"""Seconds for web and worker to come up."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts listen; 0 lets the system choose."""

    temporal: int = 0
    ui: int = 0
    web: int = 0
    inbox: int = 0


FIXED = Ports(temporal=7233, ui=8233, web=8080, inbox=1025)


@dataclass(frozen=True, slots=True)
class Embedded:
    """A running embedded environment. variables: what a process needs to work with it. parts: its own processes."""

    folder: Path
    settings: Settings
    temporal: WorkflowEnvironment
    inbox: Inbox
    mails: MassMails
    web_url: str
    ui_url: str
    variables: Mapping[str, str]
    parts: Mapping[str, Process]


@asynccontextmanager
async def embedded(
    folder: Path, ports: Ports, keep: bool = False, *, sender: Account = MARKETING, mail: MailSettings = MAIL
) -> AsyncIterator[Embedded]:
    """Start everything, and end everything; what it keeps lies in ``folder``, which begins empty unless kept.

    sender: whose addresses its account has; the account's own server stays out of it. mail: what its mails obey.
    """
    _prepare(folder, keep)
    async with AsyncExitStack() as stack:
        inbox = Inbox(folder / "inbox", ports.inbox)
        await inbox.start()
        stack.push_async_callback(inbox.stop)
        web_port, ui_port = _free(ports.web, "the web endpoints"), _free(ports.ui, "the Temporal UI")
        temporal_port = _free(ports.temporal, "Temporal")
        environment = await start_temporal(folder / "temporal.db", temporal_port, ui_port, folder / "temporal.log")
        await stack.enter_async_context(environment)
        stack.enter_context(environment.with_time_skipping_disabled())
        web_url = f"http://127.0.0.1:{web_port}"
        local = {"host": "127.0.0.1", "port": inbox.port, "tls": "none", "username": None, "password": None, "dkim": ()}
        settings = _settings(folder, web_url, sender.model_copy(update=local), mail)
        await _migrate(settings)
        variables = _configured(folder, settings, temporal_port)
        commands = {"web": ["-m", "web", "--port", str(web_port)], "worker": ["-m", "worker"]}
        parts = {
            name: await stack.enter_async_context(_process(command, folder / f"{name}.log", variables))
            for name, command in commands.items()
        }
        await _until_healthy(web_url)
        mails = await stack.enter_async_context(MassMails.connect(settings, environment.client))
        ui_url = f"http://127.0.0.1:{ui_port}"
        yield Embedded(folder, settings, environment, inbox, mails, web_url, ui_url, variables, parts)


def _prepare(folder: Path, keep: bool) -> None:
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)


def _settings(folder: Path, web_url: str, account: Account, mail: MailSettings) -> Settings:
    """Of this environment alone; its link key stays, so that links of earlier mails work when it starts again."""
    key_file = folder / "link-key"
    if not key_file.exists():
        key_file.touch(mode=0o600)
        key_file.write_text(secrets.token_hex(32))
    return Settings(
        database_url=f"sqlite+aiosqlite:///{(folder / 'serienmail.db').absolute()}",
        web_base_url=web_url,
        link_key=SecretStr(key_file.read_text()),
        spool=(folder / "spool").absolute(),
        accounts={ACCOUNT: account},
        mail=mail,
        administrators=("admin",),
        edit_lead_minutes=15,
        slice_size=None,
        metrics_address=None,
    )


async def _migrate(settings: Settings) -> None:
    database = Database(settings.database_url)
    await migrate(database)
    await database.close()


def _configured(folder: Path, settings: Settings, temporal_port: int) -> dict[str, str]:
    """The same installation for other processes: a settings file, and the two variables that lead to it."""
    account = settings.accounts[ACCOUNT]
    file = folder / "serienmail.toml"
    file.touch(mode=0o600)
    file.write_text(
        f"database_url = {json.dumps(settings.database_url)}\n"
        f"web_base_url = {json.dumps(settings.web_base_url)}\n"
        f"spool = {json.dumps(str(settings.spool))}\n"
        f"link_key = {json.dumps(settings.link_key.get_secret_value())}\n"
        f"administrators = {json.dumps(settings.administrators)}\n\n"
        f"[accounts.{ACCOUNT}]\n"
        f"host = {json.dumps(account.host)}\n"
        f"port = {account.port}\n"
        f"from_address = {json.dumps(account.from_address)}\n"
        f"from_name = {json.dumps(account.from_name)}\n"
        + (f"bounce_domain = {json.dumps(account.bounce_domain)}\n" if account.bounce_domain else "")
    )
    return {"SERIENMAIL_CONFIG": str(file.absolute()), "TEMPORAL_ADDRESS": f"127.0.0.1:{temporal_port}"}


def _free(port: int, purpose: str) -> int:
    """This port if nobody has it, or any free one for 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise EnvironmentFault(f"Port {port} for {purpose} is in use; stop what uses it.") from None
        return int(probe.getsockname()[1])


@asynccontextmanager
async def _process(arguments: list[str], log: Path, variables: Mapping[str, str]) -> AsyncIterator[Process]:
    """A process of this Python; it is told to end, and waited for."""
    with log.open("ab") as output:
        environment = {**_without_serienmail(os.environ), **variables}
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdout=output, stderr=output, env=environment
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _without_serienmail(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if not name.startswith(("SERIENMAIL_", "TEMPORAL_"))}


async def _until_healthy(web_url: str) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(int(READY_WITHIN / 0.1)):
            try:
                if (await client.get(f"{web_url}/health")).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise EnvironmentFault("The web endpoints didn't come up; see web.log in the environment's folder.")


def dev_command() -> int:
    """Keep the environment up until Ctrl-C; its data stay for the next time."""
    asyncio.run(_dev())
    return 0


async def _dev() -> None:
    console = Console(highlight=False)
    async with embedded(Path(".serienmail/dev"), FIXED, keep=True) as environment:
        console.print(f"Temporal UI   {environment.ui_url}")
        console.print(f"web           {environment.web_url}")
        inbox = environment.folder.absolute() / "inbox"
        console.print(f"inbox         {inbox} (SMTP on port {environment.inbox.port})", soft_wrap=True)
        console.print("\nTo work with it from another terminal:\n")
        console.print(f"export PATH='{Path(sys.executable).parent}':\"$PATH\"", soft_wrap=True)
        for name, value in environment.variables.items():
            console.print(f"export {name}='{value}'", soft_wrap=True)
        console.print("\nThen import contacts, add templates, start a mass mail: 'serienmail --help'.")
        console.print("Ctrl-C ends it; its data stay.")
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        ends = {name: process.wait() for name, process in environment.parts.items()}
        await until(ended, {**ends, "temporal": until_gone(environment.temporal)})


async def until(ended: asyncio.Event, ends: Mapping[str, Coroutine[Any, Any, object]]) -> None:
    """Until it is ended; EnvironmentFault if a part ends by itself before. ends: over when that part is, by name."""
    waiting = {asyncio.create_task(end): name for name, end in ends.items()}
    asked = asyncio.create_task(ended.wait())
    try:
        done, _ = await asyncio.wait([asked, *waiting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (asked, *waiting):
            task.cancel()
    if not ended.is_set():  # Ctrl-C reaches all of them at once
        name = next(waiting[task] for task in done if task in waiting)
        raise EnvironmentFault(f"The {name} process ended by itself; see {name}.log, then start all of it again.")
