"""One run: limit, baseline, peers and product after each other, on the same sink with the same message."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.chaos.installation import a_database
from benchmarks.throughput import baseline, limit, peers, product
from benchmarks.throughput.receiving import Sink, a_sink

_BASELINE_MAILS, _LIMIT_MAILS, _PEERS_MAILS = 2_000, 20_000, 1_000
"""At most; they only need a few seconds to show their pace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """database: sqlite, postgresql, or the URL of an empty one. sink: host and port of one that runs already."""

    options: product.Options
    database: str
    sink: tuple[str, int] | None
    peers: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """cpu_us_per_mail: of all workers together, without database server, Temporal and sink.

    Otherwise as in ``product.Sent``. peers: mails a second by name, if they were asked for.
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
    peers: Mapping[str, float] | None = None

    def as_document(self) -> dict[str, object]:
        """For --json."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A result, under which conditions it came about, and the longest history of a workflow run, in events."""

    result: Result
    database: str
    sink: str
    options: product.Options
    max_events: int


async def run(wanted: Wanted, folder: Path) -> Run:
    """Everything that is left behind lies in the folder."""
    options = wanted.options
    async with a_sink(wanted.sink, folder) as sink:
        where = (sink.host, sink.port)
        most = await limit.mails_per_second(*where, min(options.mails, _LIMIT_MAILS), options.connections)
        plain = await baseline.mails_per_second(*where, min(options.mails, _BASELINE_MAILS), options.connections)
        others = await _peers(sink, min(options.mails, _PEERS_MAILS), folder) if wanted.peers else None
        await sink.received()
        async with _database(wanted.database, folder) as url:
            sent = await product.send(options, sink, url, folder)
    kind = url.partition("+")[0]
    result = _result(options.mails, sent, plain, most, others)
    return Run(result=result, database=kind, sink=sink.name, options=options, max_events=sent.max_events)


def _result(mails: int, sent: product.Sent, plain: float, most: float, others: Mapping[str, float] | None) -> Result:
    pace = mails / sent.seconds
    return Result(
        mails=mails,
        seconds=round(sent.seconds, 2),
        mails_per_second=round(pace, 1),
        cpu_us_per_mail=round(sent.cpu_seconds / mails * 1e6, 1),
        rss_mb=round(sent.rss_mb, 1),
        baseline_mails_per_second=round(plain, 1),
        ratio_to_baseline=round(pace / plain, 2),
        limit_mails_per_second=round(most, 1),
        ratio_to_limit=round(pace / most, 3),
        duplicates=sent.duplicates,
        lost=sent.lost,
        peers=others,
    )


async def _peers(sink: Sink, mails: int, folder: Path) -> dict[str, float]:
    found = await peers.mails_per_second(sink, mails, folder)
    return {name: round(pace, 1) for name, pace in found.items()}


@asynccontextmanager
async def _database(kind_or_url: str, folder: Path) -> AsyncIterator[str]:
    if "://" in kind_or_url:
        yield kind_or_url
        return
    async with a_database(kind_or_url, folder) as url:
        yield url
