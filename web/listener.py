"""``python -m web.listener``: the mail server that bounces, complaints and reports of our mails come back to."""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Protocol

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from serienmail.domain.errors import EnvironmentFault, SerienmailError
from serienmail.domain.feedback import Feedback
from serienmail.mailing.bounces import feedback
from serienmail.mailing.correlation import find_mail
from serienmail.mailing.links import Links
from serienmail.mailing.mail_server import MailServer
from serienmail.settings import Settings, load_settings
from serienmail.storage.database import Database
from serienmail.storage.feedback import FeedbackStore
from serienmail.storage.migration import require_migrated

MOST_BYTES = 12_582_912
"""Of one mail: servers may return all of ours, which has 10 MB at most. It is in memory while it comes in."""
MOST_CONNECTIONS = 20
MOST_RECIPIENTS = 20
_PATIENCE = 60.0  # seconds that a client may be silent

log = logging.getLogger(__name__)


class News(Protocol):
    """Where feedback is kept."""

    async def record(self, news: Sequence[Feedback]) -> None:
        """Return when it is committed. Safe to repeat."""


class BounceHandler:
    """Takes mail for the envelope addresses that our mails had, and for no other; says 250 when it is stored."""

    def __init__(self, links: Links, domains: Collection[str], news: News) -> None:
        self._links = links
        self._domains = domains
        self._news = news

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        domain = address.rpartition("@")[2].lower()
        if domain not in self._domains or find_mail(self._links, address) is None:
            return "550 5.1.1 there is no such mailbox"
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        data = envelope.original_content or b""
        now = datetime.now(UTC)
        try:
            news = [
                await asyncio.to_thread(feedback, data, [address], envelope.mail_from or "", self._links, now)
                for address in envelope.rcpt_tos
            ]
            await self._news.record(news)
        except Exception as error:  # whatever it is: the other side keeps the mail and comes again
            log.warning("a mail that came back wasn't stored: %s", type(error).__name__)
            return "451 4.3.0 not now, please try again"
        answer = "250 2.0.0 stored"
        return "\r\n".join([answer] * len(envelope.rcpt_tos)) if isinstance(server, LMTP) else answer  # RFC 2033 4.2


class Listener(MailServer):
    """Listens for SMTP, or for LMTP from a mail server in front. With port 0 the system chooses one."""

    def __init__(self, handler: BounceHandler, host: str, port: int, *, lmtp: bool = False) -> None:
        super().__init__(
            handler,
            host,
            port,
            "bounces",
            kind=LMTP if lmtp else SMTP,
            most_connections=MOST_CONNECTIONS,
            data_size_limit=MOST_BYTES,
            timeout=_PATIENCE,
        )


async def serve(settings: Settings, host: str, port: int, *, lmtp: bool) -> None:
    """Listen until SIGTERM or SIGINT. EnvironmentFault if no account has its bounces come here."""
    domains = {account.bounce_domain for account in settings.accounts.values() if account.bounce_domain}
    if not domains:
        raise EnvironmentFault("no account has a bounce_domain, so nothing would be taken here; set one in an account.")
    links = Links(settings.web_base_url, settings.link_key.get_secret_value().encode())
    database = Database(settings.database_url)
    try:
        await require_migrated(database)
        handler = BounceHandler(links, domains, FeedbackStore(database, settings.soft_bounces, settings.unmatched_days))
        listener = Listener(handler, host, port, lmtp=lmtp)
        await listener.start()
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        log.info("listening for bounces on %s:%s", host, listener.port)
        await stopped.wait()
        await listener.stop()
    finally:
        await database.close()


def main() -> None:
    """Read the options and listen; a refusal is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m web.listener", description="Take the bounces of our mails.")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", default=2525, type=int, help="the port to listen on (default: %(default)s)")
    parser.add_argument("--lmtp", action="store_true", help="speak LMTP, with a mail server in front")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("mail").setLevel(logging.WARNING)  # aiosmtpd names every client and recipient
    try:
        asyncio.run(serve(load_settings(), options.host, options.port, lmtp=options.lmtp))
    except SerienmailError as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
