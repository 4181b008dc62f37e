"""What was measured, as tables for a terminal."""

from collections.abc import Sequence

from rich.table import Table

from benchmarks.throughput.run import Run

_VARIED = {
    "growth": lambda run: run.result.mails,
    "slices": lambda run: run.options.slice_size,
    "connections": lambda run: run.options.connections,
    "workers": lambda run: run.options.workers,
    "databases": lambda run: run.database,
}


def of_run(run: Run) -> Table:
    """One run, all of it."""
    table = Table("measured", "result")
    table.columns[1].justify = "right"
    for name, value in {**run.result.as_document(), **_conditions(run)}.items():
        for label, number in value.items() if isinstance(value, dict) else [(name.replace("_", " "), value)]:
            table.add_row(f"{label} mails per second" if name == "peers" else label, _shown(number))
    return table


def _conditions(run: Run) -> dict[str, object]:
    return {
        "events of the longest history": run.max_events,
        "database": run.database,
        "workers": run.options.workers,
        "connections": run.options.connections,
        "sink": run.sink,
    }


def of_series(series: str, runs: Sequence[Run]) -> Table:
    """A row for each run."""
    ratios = ("× baseline", "of the limit")
    headings = (series, "seconds", "mails/s", "µs CPU a mail", "MB", *ratios, "events", "lost", "twice")
    table = Table(*headings, box=None, padding=(0, 1, 0, 0))  # all of it fits into 80 columns
    for column in table.columns:
        column.justify = "right"
    table.columns[0].no_wrap = True
    for run in runs:
        result = run.result
        numbers = (result.seconds, result.mails_per_second, result.cpu_us_per_mail, result.rss_mb)
        compared = (result.ratio_to_baseline, f"{result.ratio_to_limit:.1%}")
        counts = (run.max_events, result.lost, result.duplicates)
        table.add_row(*map(_shown, (_VARIED[series](run), *numbers, *compared, *counts)))
    return table


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)
