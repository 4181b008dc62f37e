"""``python -m web``: serve the links in mails until told to stop."""

import argparse
import asyncio
import socket
import sys
from contextlib import suppress

import uvicorn
from uvicorn.loops.auto import auto_loop_factory

from serienmail.domain.errors import DatabaseAway, EnvironmentFault, SerienmailError
from serienmail.settings import load_settings
from serienmail.storage.database import Database
from serienmail.storage.migration import require_migrated
from web.app import compose

MOST_AT_ONCE = 1_000
"""Connections; those beyond are told to come again, so that nobody can use up the memory."""

KEPT_OPEN = 65
"""Seconds that a connection without a request stays open: longer than nginx's 60 and httpx's 5.

A request that comes as the server closes is lost. Where both close at the same age, a busy server lost 10 of 600.
"""


def main() -> None:
    """Read the options and serve; a refusal is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m web", description="Serve the links in mails.")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", default=8080, type=int, help="the port to listen on (default: %(default)s)")
    options = parser.parse_args()
    try:
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            runner.run(serve(options.host, options.port))
    except SerienmailError as refusal:
        sys.exit(str(refusal))


async def serve(host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; requests in hand are answered."""
    settings = load_settings()
    _see_that_it_is_free(host, port)
    database = Database(settings.database_url)
    try:
        with suppress(DatabaseAway):  # what comes is kept until it is back
            await require_migrated(database)
        config = uvicorn.Config(
            compose(settings, database),
            host=host,
            port=port,
            server_header=False,
            timeout_graceful_shutdown=10,
            limit_concurrency=MOST_AT_ONCE,
            timeout_keep_alive=KEPT_OPEN,
            access_log=False,  # a tenth of the time for each request; the proxy in front writes one
        )
        await uvicorn.Server(config).serve()
    finally:
        await database.close()


def _see_that_it_is_free(host: str, port: int) -> None:
    """uvicorn would end the process in words of its own."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError:
        raise EnvironmentFault(f"It can't listen on {host}:{port}; end what does already, or choose others.") from None


if __name__ == "__main__":
    main()
