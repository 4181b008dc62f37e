"""Simulated recipients: they open the real pixel and unsubscribe by the real one-click POST, and keep a record."""

import asyncio
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import httpx

from serienmail.mailing.links import LinkKind, Links, MailRef
from starter.inbox import ReceivedMail

_PIXEL = re.compile(r'<img src="([^"]+/o/[^"]+)" width="1"')
_TOKEN = re.compile(r"<([^@]+)@")
AT_ONCE = 20
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"}
"""Else an open would be a machine's."""


@dataclass
class Reader:
    """Shares of recipients who open (of those whose mail has a pixel) and who unsubscribe; who it is stays the same.

    opened, unsubscribed: what was done, by stage; the same mail twice counts once.
    """

    http: httpx.AsyncClient
    links: Links
    opens: float = 0.4
    unsubscribes: float = 0.03
    received: dict[int, list[MailRef]] = field(default_factory=dict)
    opened: dict[int, set[MailRef]] = field(default_factory=dict)
    unsubscribed: dict[int, set[MailRef]] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    async def read(self, mails: Iterable[ReceivedMail]) -> None:
        """Look at what came since the last time."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(mail: ReceivedMail) -> None:
            async with limit:
                await self._read_one(mail)

        new = [mail for mail in mails if mail.path.name not in self._seen]
        self._seen.update(mail.path.name for mail in new)
        await asyncio.gather(*(one(mail) for mail in new))

    async def _read_one(self, mail: ReceivedMail) -> None:
        message = mail.message
        token = _TOKEN.match(message["Message-ID"])
        ref = self.links.read(LinkKind.MESSAGE, token[1]) if token else None
        if ref is None:
            return  # not a mass mail of ours: a test mail, say
        self.received.setdefault(ref.stage, []).append(ref)
        html = message.get_body(("html",))
        pixel = _PIXEL.search(html.get_content()) if html else None
        if pixel and _share(mail.recipient, f"opens {ref.stage}") < self.opens:
            (await self.http.get(pixel[1], headers=BROWSER)).raise_for_status()
            self.opened.setdefault(ref.stage, set()).add(ref)
        if _share(mail.recipient, f"unsubscribes {ref.stage}") < self.unsubscribes:
            url = message["List-Unsubscribe"].strip().removeprefix("<").removesuffix(">")
            answer = await self.http.post(url, data={"List-Unsubscribe": "One-Click"})
            answer.raise_for_status()
            self.unsubscribed.setdefault(ref.stage, set()).add(ref)


def _share(address: str, habit: str) -> float:
    """A number from 0 to 1 that is this person's own in this habit: the same in every run."""
    digest = hashlib.sha256(f"{habit} {address.casefold()}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
