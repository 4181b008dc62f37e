"""Series of the benchmark: several runs that differ in one thing, in one table."""

from dataclasses import fields, replace

import pytest

from benchmarks.throughput.product import Options
from benchmarks.throughput.run import Result, Run, Wanted
from benchmarks.throughput.series import SERIES, variants
from benchmarks.throughput.tables import of_run, of_series

WANTED = Wanted(
    options=Options(mails=500, workers=2, connections=50, slice_size=None), database="sqlite", sink=None, peers=False
)
RESULT = Result(**{field.name: 1 for field in fields(Result) if field.name != "peers"})
RUN = Run(result=RESULT, database="sqlite", sink="own", options=WANTED.options, max_events=7)


@pytest.mark.parametrize("series", SERIES)
def test_a_series_changes_one_thing_and_has_a_row_for_each_value(series: str) -> None:
    runs = list(variants(series, WANTED))
    assert len({repr(run) for run in runs}) == len(runs) >= 2
    assert of_series(series, [RUN] * len(runs)).row_count == len(runs)


def test_growth_goes_to_a_million() -> None:
    assert [run.options.mails for run in variants("growth", WANTED)] == [1_000, 10_000, 100_000, 1_000_000]


def test_without_a_series_there_is_the_one_run_that_was_asked_for() -> None:
    assert list(variants(None, WANTED)) == [WANTED]


def test_peers_are_in_document_and_table_only_if_they_were_asked_for() -> None:
    assert "peers" not in RESULT.as_document()
    with_peers = replace(RUN, result=replace(RESULT, peers={"mailmerge": 1.0, "other": 2.0}))
    assert with_peers.result.as_document()["peers"] == {"mailmerge": 1.0, "other": 2.0}
    assert of_run(with_peers).row_count == of_run(RUN).row_count + 2
