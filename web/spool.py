"""A file that keeps what can't be written to the database now: what is in it survives kill -9 and a power cut."""

import asyncio
import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from serienmail.domain.errors import EnvironmentFault
from serienmail.storage.group_commit import GroupCommit

LARGEST = 256_000_000
"""Bytes, a million visits; what goes beyond is refused, so that a database that is gone doesn't fill the disk."""
log = logging.getLogger(__name__)
Entry = Mapping[str, Any]


class Spool:
    """Entries in the order they came. One process at a time has a folder: another would write between them."""

    def __init__(self, folder: Path) -> None:
        """EnvironmentFault if the folder can't be used, or another process has it."""
        self._incoming, self._leaving = folder / "incoming.jsonl", folder / "leaving.jsonl"
        self._unreadable = folder / "unreadable"
        self._append = GroupCommit(self._write)
        self._turn = asyncio.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(folder / "lock")
        except BlockingIOError:
            says = f"another web process uses {folder}; give each its own as SERIENMAIL_SPOOL."
            raise EnvironmentFault(says) from None
        except OSError as error:
            says = f"{folder} can't be written to ({error.strerror}); correct SERIENMAIL_SPOOL."
            raise EnvironmentFault(says) from None

    @property
    def is_empty(self) -> bool:
        """Whether everything is written elsewhere."""
        return not self._incoming.exists() and not self._leaving.exists()

    async def append(self, entry: Entry) -> None:
        """Keep it; it is on the disk when this returns. OSError if it can't be."""
        await self._append(entry)

    async def leaving(self) -> Sequence[Entry]:
        """The oldest entries; the same again until they are ``gone``. What comes meanwhile is for the next time."""
        async with self._turn:
            if not self._leaving.exists() and self._incoming.exists():
                self._incoming.rename(self._leaving)
            return await asyncio.to_thread(_read, self._leaving)

    async def gone(self) -> None:
        """Those are written elsewhere. What couldn't be read is kept aside, for somebody to look at."""
        async with self._turn:
            await asyncio.to_thread(_set_aside, self._leaving, self._unreadable)
            self._leaving.unlink(missing_ok=True)

    async def _write(self, entries: Sequence[Entry]) -> Sequence[None]:
        lines = b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)
        async with self._turn:
            await asyncio.to_thread(_append, self._incoming, lines)
        return [None] * len(entries)

    def close(self) -> None:
        """Let another process have the folder."""
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1


def _locked(file: Path) -> int:
    """An open file that no other process can lock; the system gives it back when this one dies."""
    lock = os.open(file, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock


def _append(file: Path, lines: bytes) -> None:
    is_new = not file.exists()
    with file.open("ab") as spool:
        if spool.tell() + len(lines) > LARGEST:
            raise OSError("the spool is full")
        if spool.tell():
            lines = b"\n" + lines  # a kill may have left half a line
        spool.write(lines)
        spool.flush()
        os.fsync(spool.fileno())
    if is_new:
        folder = os.open(file.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def _read(file: Path) -> list[Entry]:
    return [entry for _, entry in _lines(file) if entry is not None]


def _lines(file: Path) -> Iterator[tuple[bytes, Entry | None]]:
    """Each line with its entry; None if it can't be read: a kill cut it off, and nobody was told that it is kept."""
    for line in filter(None, file.read_bytes().splitlines() if file.exists() else []):
        try:
            yield line, json.loads(line)
        except ValueError:
            yield line, None


def _set_aside(file: Path, aside: Path) -> None:
    if lines := [line for line, entry in _lines(file) if entry is None]:
        log.warning("%s lines of the spool can't be read; they lie in %s", len(lines), aside)
        with aside.open("ab") as kept:
            kept.write(b"\n".join([*lines, b""]))
