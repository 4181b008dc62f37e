"""Sequences of requests as people and machines send them, and what is concluded."""

import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serienmail.domain.judging import MachineList, Reason, Visit, judge, network_of
from serienmail.mailing.machine_list import read_machine_list
from tests.builders import NOON

MACHINES = read_machine_list()
FILES = sorted((Path(__file__).parent / "visits").glob("*.toml"))
SEQUENCES = [sequence for file in FILES for sequence in tomllib.loads(file.read_text("utf-8"))["sequence"]]


def visit(seconds: float, what: str, network: str, agent: str) -> Visit:
    """One request of a table."""
    return Visit(
        at=NOON + timedelta(seconds=seconds),
        link=0 if what == "pixel" else int(what) if what.isdecimal() else 1,
        method="HEAD" if what == "HEAD" else "GET",
        network=network,
        agent=agent,
        scanner=network == "scanner",
    )


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda sequence: sequence["name"])
def test_each_recorded_sequence_is_judged_as_its_table_says(sequence: dict[str, Any]) -> None:
    visits = [visit(*request) for request in sequence["requests"]]
    assert [reason or "" for reason in judge(visits, MACHINES)] == sequence["verdicts"]


@given(st.integers(-10_000_000, 10_000_000))
def test_neither_the_order_of_writing_nor_the_hour_changes_a_verdict(later: int) -> None:
    for sequence in SEQUENCES:
        visits = [visit(seconds + later, *rest) for seconds, *rest in sequence["requests"]]
        backwards = [reason or "" for reason in judge(visits[::-1], MACHINES)]
        assert backwards == sequence["verdicts"][::-1]


def test_a_machine_is_known_by_its_network() -> None:
    machines = MachineList.of({"agents": [], "exact_agents": [], "networks": ["64.235.144.0/20", "2001:db8::/32"]})
    assert machines.is_scanner("64.235.150.7")
    assert machines.is_scanner("2001:db8::1")
    assert not machines.is_scanner("192.0.2.1")
    assert not machines.is_scanner("testclient")


def test_a_household_is_one_network() -> None:
    assert network_of("192.0.2.77") == "192.0.2.0/24"
    assert network_of("2001:db8:1:2::3") == "2001:db8:1::/48"
    assert network_of("unknown") == ""


def test_two_requests_without_a_network_are_not_the_same_visitor() -> None:
    head = Visit(at=NOON, link=1, method="HEAD", agent="Firefox")
    assert judge([head, Visit(at=NOON, link=1, agent="Firefox")], MACHINES) == [Reason.METHOD, None]
