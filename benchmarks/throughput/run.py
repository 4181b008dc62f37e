"""One run: limit, baseline and product after each other, on the same sink with the same message."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos.installation import a_database
from benchmarks.throughput import baseline, limit, product
from benchmarks.throughput.receiving import a_sink

_BASELINE_MAILS, _LIMIT_MAILS = 2_000, 20_000
"""At most; they only need a few seconds to show their pace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """cpu_us_per_mail: of all workers together, without database server, Temporal and sink.

    Otherwise as in ``product.Sent``. database and sink: their kinds.
    """

    mails: int
    seconds: float
    mails_per_second: float
    cpu_us_per_mail: float
    rss_mb: float
    baseline_mails_per_second: float
    ratio_to_baseline: float
    limit_mails_per_second: float
    ratio_to_limit: float
    duplicates: int
    lost: int
    database: str
    workers: int
    connections: int
    sink: str


async def run(options: product.Options, database: str, sink_address: tuple[str, int] | None, folder: Path) -> Result:
    """database: sqlite, postgresql, or the URL of an empty one."""
    async with a_sink(sink_address, folder) as sink:
        where = (sink.host, sink.port)
        most = await limit.mails_per_second(*where, min(options.mails, _LIMIT_MAILS), options.connections)
        plain = await baseline.mails_per_second(*where, min(options.mails, _BASELINE_MAILS), options.connections)
        await sink.received()
        async with _database(database, folder) as url:
            sent = await product.send(options, sink, url, folder)
    pace = options.mails / sent.seconds
    return Result(
        mails=options.mails,
        seconds=round(sent.seconds, 2),
        mails_per_second=round(pace, 1),
        cpu_us_per_mail=round(sent.cpu_seconds / options.mails * 1e6, 1),
        rss_mb=round(sent.rss_mb, 1),
        baseline_mails_per_second=round(plain, 1),
        ratio_to_baseline=round(pace / plain, 2),
        limit_mails_per_second=round(most, 1),
        ratio_to_limit=round(pace / most, 3),
        duplicates=sent.duplicates,
        lost=sent.lost,
        database=url.partition("+")[0],
        workers=options.workers,
        connections=options.connections,
        sink=sink.name,
    )


@asynccontextmanager
async def _database(kind_or_url: str, folder: Path) -> AsyncIterator[str]:
    if "://" in kind_or_url:
        yield kind_or_url
        return
    async with a_database(kind_or_url, folder) as url:
        yield url
