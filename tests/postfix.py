"""A real Postfix on loopback: the installed one, or Debian's package unpacked without installing it."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

_OWNED = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")
_USER, _OTHER_USER, _GROUP = "nobody", "games", "mail"
"""Postfix wants two users and a group that share nothing; these are on every Debian, unlike its own."""


class Postfix:
    """One instance in a folder of its own. deliver_to: a mail server's port on loopback; None: mails are discarded."""

    def __init__(self, root: Path, deliver_to: int | None = None) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="serienmail-postfix")
        self._folder = Path(self._home.name)
        self._folder.chmod(0o755)  # its processes run as another user
        self.log = self._folder / "mail.log"
        self.port = _free_port()
        self._root = root
        self._configure(deliver_to)
        self._master: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Until it greets. One that ends at once is started again: the last one may not have let go of its port yet."""
        async with asyncio.timeout(20):
            while not await self._greets():
                if self._master is None or self._master.returncode is not None:
                    self._master = await self._started()
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """As ``postfix stop`` does it: the master ends all its processes."""
        if self._master and self._master.returncode is None:
            self._master.send_signal(signal.SIGTERM)
            await self._master.wait()

    def remove(self) -> None:
        """Its folder, with queue and log."""
        self._home.cleanup()

    async def _started(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(str(self._root / "usr/lib/postfix/sbin/master"), "-d", "-c", str(self._folder / "etc")),
            env={"LD_LIBRARY_PATH": str(self._root / "usr/lib/postfix")},
            start_new_session=True,  # it ends its whole process group
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    async def _greets(self) -> bool:
        if self._master is None or self._master.returncode is not None:
            return False
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            greeting = await reader.readline()
            writer.close()
            await writer.wait_closed()
        except OSError:
            return False
        return greeting.startswith(b"220")

    def _configure(self, deliver_to: int | None) -> None:
        folder, queue = self._folder, self._folder / "queue"
        for name in ("etc", "data", "queue/pid", "queue/public", "queue/maildrop", *(f"queue/{n}" for n in _OWNED)):
            (folder / name).mkdir(parents=True)
        for name in _OWNED:
            (queue / name).chmod(0o700)
            shutil.chown(queue / name, _USER)
        for name, mode in (("public", 0o710), ("maildrop", 0o1730)):
            shutil.chown(queue / name, _USER, _GROUP)
            (queue / name).chmod(mode)
        shutil.chown(folder / "data", _USER)
        transport = f"smtp:[127.0.0.1]:{deliver_to}" if deliver_to else "discard"
        (folder / "etc/main.cf").write_text(_MAIN.format(root=self._root, folder=folder, transport=transport))
        (folder / "etc/master.cf").write_text(_MASTER.format(port=self.port))
        for file in ("main.cf", "master.cf"):
            (folder / "etc" / file).chmod(0o644)
        self.log.write_bytes(_yesterday())


def _yesterday() -> bytes:
    """A log reaches back further than this test, and the last time Postfix ran it was stopped properly."""
    now = datetime.now(UTC)
    return (
        f"{now - timedelta(days=1):%b %e %H:%M:%S} relay postfix/qmgr[2]: 103CD9940CF: removed\n"
        f"{now:%b %e %H:%M:%S} relay postfix/master[1]: terminating on signal 15\n"
    ).encode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find_postfix(cache: Path) -> Path:
    """The folder below which usr/lib/postfix is. The test is skipped, with the reason, if there is none to be had."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("Postfix only starts as root on Linux; run this test there")
    if Path("/usr/lib/postfix/sbin/master").exists():
        return Path("/")
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        pytest.skip("there is no Postfix and no apt-get to download one; install Debian's package 'postfix'")
    try:
        subprocess.run(["apt-get", "download", "postfix"], cwd=cache, check=True, capture_output=True, timeout=120)
        package = next(cache.glob("postfix_*.deb"))
        subprocess.run(["dpkg", "-x", package, cache / "root"], check=True, capture_output=True, timeout=60)
    except (subprocess.SubprocessError, StopIteration):
        pytest.skip("apt-get can't download Postfix here; install Debian's package 'postfix', or run apt-get update")
    return cache / "root"


@asynccontextmanager
async def a_postfix(root: Path, deliver_to: int | None = None) -> AsyncIterator[Postfix]:
    """Running; nothing of it is left afterwards."""
    postfix = Postfix(root, deliver_to)
    try:
        await postfix.start()
        yield postfix
    finally:
        await postfix.stop()
        postfix.remove()


_MAIN = """\
compatibility_level = 3.6
config_directory = {folder}/etc
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = {root}/usr/sbin
daemon_directory = {root}/usr/lib/postfix/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = {folder}/etc
mail_owner = nobody
default_privs = games
setgid_group = mail
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
import_environment = MAIL_CONFIG LD_LIBRARY_PATH
export_environment = MAIL_CONFIG LD_LIBRARY_PATH
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.example
mydestination =
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
default_transport = {transport}
disable_dns_lookups = yes
alias_maps =
alias_database =
"""
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
discard unix - - n - - discard
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""
