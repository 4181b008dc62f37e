"""Plays the script: real requests to the web process, and real bounces to the listener."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic

import aiosmtplib
import httpx

from benchmarks.afterwards.script import Person
from serienmail.mailing.links import LinkKind, Links
from starter.inbox import ReceivedMail
from starter.reader import BROWSER

DOMAIN = "bounce.serienmail.example"
_FILTER = {"User-Agent": "Barracuda Sentinel (EE)"}
"""A network's filter, which says so."""
_AT_ONCE = 20
_LINK = re.compile(r'href="([^"]+/l/[^"]+)"')
_PIXEL = re.compile(r'<img src="([^"]+/o/[^"]+)" width="1"')
_TOKEN = re.compile(r"<([^@]+)@")
_REPORT = """\
Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; {address}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user
"""


@dataclass
class Scripted:
    """Reads the mass mail as the script says, and only keeps where follow-ups went.

    people: by address. got: addresses by follow-up. seconds: that playing took.
    """

    http: httpx.AsyncClient
    links: Links
    listener_port: int
    people: Mapping[str, Person]
    got: dict[int, list[str]] = field(default_factory=dict)
    seconds: float = 0.0
    _seen: set[str] = field(default_factory=set)

    async def read(self, mails: Iterable[ReceivedMail]) -> None:
        """Look at what came since the last time."""
        new = [mail for mail in mails if mail.path.name not in self._seen]
        self._seen.update(mail.path.name for mail in new)
        limit, began = asyncio.Semaphore(_AT_ONCE), monotonic()

        async def one(mail: ReceivedMail) -> None:
            async with limit:
                await self._read_one(mail)

        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=self.listener_port, start_tls=False) as server:
            self._server = server
            await asyncio.gather(*map(one, new))
        self.seconds += monotonic() - began

    async def _read_one(self, mail: ReceivedMail) -> None:
        message = mail.message
        token = _TOKEN.match(message["Message-ID"])
        ref = self.links.read(LinkKind.MESSAGE, token[1]) if token else None
        if ref is None:
            raise ValueError("a mail in the inbox isn't one of this mass mail")
        if ref.stage:
            self.got.setdefault(ref.stage, []).append(mail.recipient)
            return
        person = self.people[mail.recipient]
        if person.bounces:
            await self._server.sendmail("", [self.links.bounce_address(ref, DOMAIN)], a_bounce(mail.recipient))
        body = message.get_body(("html",))
        await self._look(person, body.get_content() if body else "")
        if person.unsubscribes:
            url = message["List-Unsubscribe"].strip().removeprefix("<").partition(">")[0]
            (await self.http.post(url, data={"List-Unsubscribe": "One-Click"})).raise_for_status()

    async def _look(self, person: Person, html: str) -> None:
        pixels, links = _PIXEL.findall(html), _LINK.findall(html)
        if person.machine:
            asks = self.http.head if person.number % 2 else self.http.get
            for url in (*pixels, *links):
                await asks(url, headers=_FILTER)
        if person.opens:
            await self.http.get(pixels[0], headers=BROWSER)
        if person.clicks:
            await self.http.get(links[person.number % len(links)], headers=BROWSER)


def a_bounce(address: str) -> bytes:
    """What a server writes when there is no such mailbox (RFC 3464)."""
    report = _REPORT.format(address=address)
    return (
        "From: MAILER-DAEMON@mx.example.org\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="="\r\n\r\n'
        "--=\r\nContent-Type: text/plain\r\n\r\nThere is no such mailbox.\r\n"
        f"--=\r\nContent-Type: message/delivery-status\r\n\r\n{report}\r\n--=--\r\n"
    ).encode()
