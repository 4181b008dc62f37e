"""Other mass mailers in Python, with the same message on the same sink, each in a virtual environment of its own."""

import asyncio
import csv
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.people import person
from benchmarks.throughput.message import SENDER, TEMPLATE, unsubscribe_url
from benchmarks.throughput.receiving import Sink
from serienmail.domain.errors import EnvironmentFault
from serienmail.mailing.builder import greeting

MAILMERGE, POST_OFFICE = "mailmerge==2.3.0", "django-post_office==3.12.0"
_COLUMNS = ("email", "first_name", "last_name", "city", "salutation", "unsubscribe_url")
_MESSAGE = f"""\
TO: {{{{ first_name }}}} {{{{ last_name }}}} <{{{{ email }}}}>
FROM: {SENDER}
SUBJECT: {{subject}}
List-Unsubscribe: <{{{{ unsubscribe_url }}}}>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="alternative"

--alternative
Content-Type: text/plain; charset=utf-8

{{text}}
--alternative
Content-Type: text/html; charset=utf-8

{{html}}
--alternative--
"""


async def mails_per_second(sink: Sink, mails: int, folder: Path) -> dict[str, float]:
    """By name, from the call of its command to its end; EnvironmentFault if it can't be installed, or loses mails."""
    _write_recipients(folder / "recipients.csv", mails)
    found = {}
    for name, send in (("mailmerge", _mailmerge), ("django-post_office", _post_office)):
        await sink.received()
        found[name] = mails / await send(sink.host, sink.port, folder)
        if (received := await sink.received()) and received.messages != mails:
            raise EnvironmentFault(f"{name} sent {received.messages} mails of {mails}; try without --peers.")
    return found


async def _mailmerge(host: str, port: int, folder: Path) -> float:
    python = await _environment(MAILMERGE, folder / "mailmerge")
    (folder / "template.txt").write_text(_template(_MESSAGE), encoding="utf-8")
    (folder / "server.conf").write_text(f"[smtp_server]\nhost = {host}\nport = {port}\n", encoding="utf-8")
    files = ("--template", "template.txt", "--database", "recipients.csv", "--config", "server.conf")
    command = (str(python.parent / "mailmerge"), "--no-dry-run", "--no-limit", "--output-format", "raw", *files)
    return await _seconds(command, folder)


async def _post_office(host: str, port: int, folder: Path) -> float:
    """It queues all mails in SQLite, and sends them from there, on five threads, its own choice."""
    python = await _environment(POST_OFFICE, folder / "post_office")
    for name in ("subject", "text", "html"):
        (folder / name).write_text(_template(f"{{{name}}}"), encoding="utf-8")
    program = str(Path(__file__).with_name("post_office_program.py"))
    await _seconds((str(python), program, "prepare", host, str(port), SENDER), folder)
    return await _seconds((str(python), program, "send", host, str(port), SENDER), folder)


def _template(frame: str) -> str:
    """The benchmark's template, with its fields as plain names."""
    words = frame.replace("{subject}", TEMPLATE.subject).replace("{text}", TEMPLATE.text)
    return words.replace("{html}", TEMPLATE.html).replace("contact.", "")


def _write_recipients(file: Path, mails: int) -> None:
    with file.open("w", newline="", encoding="utf-8") as output:
        writer = csv.DictWriter(output, _COLUMNS, extrasaction="ignore")
        writer.writeheader()
        for number in range(1, mails + 1):
            fields = asdict(person(number))
            own = {"salutation": greeting(fields), "unsubscribe_url": unsubscribe_url(number)}
            writer.writerow({**fields, **own})


async def _environment(package: str, folder: Path) -> Path:
    """The path of its Python."""
    await _seconds((sys.executable, "-m", "venv", str(folder)), folder.parent)
    python = folder / "bin" / "python"
    await _seconds((str(python), "-m", "pip", "install", "--quiet", package), folder.parent)
    return python


async def _seconds(command: Sequence[str], folder: Path) -> float:
    began = time.monotonic()
    with (folder / "peers.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=log, stderr=log)
        code = await process.wait()
    if code:
        last = (folder / "peers.log").read_text(errors="replace").strip().splitlines()[-1:]
        raise EnvironmentFault(f"'{Path(command[0]).name}' ended with {code} ({''.join(last)}); try without --peers.")
    return time.monotonic() - began
