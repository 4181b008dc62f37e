"""A small IMAP server (RFC 3501) with one mailbox: as much of it as a reader needs, on a real socket."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr

from serienmail.mailing.mailbox import Mailbox


class ImapServer:
    """mails: by UID. hang_up_after: fetches, after which each connection breaks; None: never."""

    def __init__(self) -> None:
        self.mails: dict[int, bytes] = {}
        self.uid_validity = 1
        self.commands: list[str] = []
        self.hang_up_after: int | None = None
        self.port = 0

    def add(self, mail: bytes) -> None:
        """Deliver a mail."""
        self.mails[max(self.mails, default=0) + 1] = mail

    @property
    def mailbox(self) -> Mailbox:
        """How to reach it."""
        return Mailbox(
            address="office@example.com", host="127.0.0.1", port=self.port, tls="none", username="office",
            password=SecretStr("secret"),
        )  # fmt: skip

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        writer.write(b"* OK ready\r\n")
        fetched = 0
        while line := await reader.readline():
            tag, _, command = line.decode().strip().partition(" ")
            self.commands.append(command)
            fetched += "FETCH" in command
            if self.hang_up_after is not None and fetched > self.hang_up_after:
                break
            untagged, ends = self._answer(command)
            writer.write(untagged + f"{tag} {ends}\r\n".encode())
            await writer.drain()
            if command == "LOGOUT":
                break
        writer.close()

    def _answer(self, command: str) -> tuple[bytes, str]:
        words = command.split()
        match words[0], words[1:]:
            case "CAPABILITY", _:
                return b"* CAPABILITY IMAP4rev1\r\n", "OK done"
            case "LOGIN", [_, password] if password != '"secret"':
                return b"", "NO wrong"
            case "EXAMINE", _:
                return f"* {len(self.mails)} EXISTS\r\n".encode(), "OK [READ-ONLY] done"
            case "STATUS", [folder, *_]:
                return f"* STATUS {folder} (UIDVALIDITY {self.uid_validity})\r\n".encode(), "OK done"
            case "UID", ["SEARCH", _, numbers]:
                return f"* SEARCH {' '.join(map(str, self._from(numbers)))}\r\n".encode(), "OK done"
            case "UID", ["FETCH", uid, what]:
                return self._fetch(int(uid), what), "OK done"
            case "LOGOUT", _:
                return b"* BYE\r\n", "OK done"
        return b"", "OK done"

    def _from(self, numbers: str) -> list[int]:
        """``n:*`` names the last mail also if n is beyond it (RFC 3501 6.4.8)."""
        first = int(numbers.partition(":")[0])
        return [uid for uid in self.mails if uid >= min(first, max(self.mails))]

    def _fetch(self, uid: int, what: str) -> bytes:
        most = re.fullmatch(r"\(BODY\.PEEK\[\]<0\.(\d+)>\)", what)
        if uid not in self.mails or most is None:
            return b""
        mail = self.mails[uid][: int(most[1])]
        return f"* {uid} FETCH (UID {uid} BODY[]<0> {{{len(mail)}}}\r\n".encode() + mail + b")\r\n"


@asynccontextmanager
async def an_imap_server() -> AsyncIterator[ImapServer]:
    """Listens on a free port of loopback."""
    server = ImapServer()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = int(listening.sockets[0].getsockname()[1])
    yield server
    listening.close()
    await listening.wait_closed()
