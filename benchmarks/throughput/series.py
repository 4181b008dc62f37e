"""Several runs that differ in one thing."""

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.throughput.run import Wanted

SERIES = ("growth", "slices", "connections", "workers", "databases")
_MAILS = (1_000, 10_000, 100_000, 1_000_000)
_SLICES = (1, 10, 50, 250, 1_000)
_CONNECTIONS = (5, 10, 25, 50, 100)
_WORKERS = (1, 2, 3, 4)


def variants(series: str | None, wanted: Wanted) -> Iterator[Wanted]:
    """What to run; what the series is about replaces what was wanted."""
    match series:
        case "growth":
            yield from (replace(wanted, options=replace(wanted.options, mails=mails)) for mails in _MAILS)
        case "slices":
            yield from (replace(wanted, options=replace(wanted.options, slice_size=size)) for size in _SLICES)
        case "connections":
            yield from (replace(wanted, options=replace(wanted.options, connections=many)) for many in _CONNECTIONS)
        case "workers":
            yield from (replace(wanted, options=replace(wanted.options, workers=many)) for many in _WORKERS)
        case "databases":
            yield from (replace(wanted, database=database) for database in ("sqlite", "postgresql"))
        case _:
            yield wanted
