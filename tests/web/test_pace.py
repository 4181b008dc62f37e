"""Nobody wears the installation out, and nobody is refused who only has many neighbours."""

import httpx
import pytest
from starlette.applications import Starlette

from web.app import Guard
from web.pace import OTHERS, PACES, Pace, Paces

HERE = "203.0.113.7"


class Clock:
    """Seconds, which pass when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def asked(paces: Paces, times: int, address: str = HERE, path: str = "/c/token") -> int:
    """How many of so many requests may pass."""
    return [paces.wait(address, path) for _ in range(times)].count(0)


@pytest.mark.parametrize(("kind", "pace"), [*PACES.items(), ("c", OTHERS)])
def test_as_many_as_allowed_pass_at_once_and_then_so_many_a_second(kind: str, pace: Pace) -> None:
    clock, path = Clock(), f"/{kind}/token"
    paces = Paces(clock)
    assert asked(paces, pace.at_once + 50, path=path) == pace.at_once
    clock.now += 2
    assert asked(paces, pace.at_once, path=path) == 2 * pace.per_second


def test_whoever_waits_as_long_as_told_may_ask() -> None:
    clock = Clock()
    paces = Paces(clock)
    asked(paces, OTHERS.at_once)
    wait = paces.wait(HERE, "/c/token")
    assert wait > 0
    clock.now += wait
    assert paces.wait(HERE, "/c/token") == 0


def test_neighbours_share_what_other_networks_and_other_kinds_of_path_dont() -> None:
    paces = Paces(Clock())
    asked(paces, OTHERS.at_once)
    assert asked(paces, 1, "203.0.113.99") == 0
    assert asked(paces, 1, "203.0.114.7") == 1
    assert asked(paces, 1, "2001:db8::1") == 1
    assert asked(paces, 1, path="/u/token") == 1
    assert asked(paces, 1, path="/confirm/../c") == 0  # made-up paths are no way around


def test_this_machine_s_own_addresses_are_free_and_what_is_no_address_too() -> None:
    paces = Paces(Clock())
    for address in ("127.0.0.1", "::1", "", "testclient"):
        assert asked(paces, OTHERS.at_once + 1, address) == OTHERS.at_once + 1


def test_many_networks_use_up_no_memory_and_the_one_that_asks_on_is_remembered() -> None:
    paces = Paces(Clock(), most=10)
    asked(paces, OTHERS.at_once)
    for number in range(100):
        paces.wait(f"198.51.{number}.1", "/c/token")
        assert paces.wait(HERE, "/c/token") > 0
    assert len(paces._buckets) == 10


async def test_whoever_asks_too_often_is_told_when_to_come_again() -> None:
    app = Starlette()
    app.add_middleware(Guard, paces=Paces(Clock()))
    transport = httpx.ASGITransport(app, client=(HERE, 40_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://web") as client:
        answers = [await client.get("/c/token") for _ in range(OTHERS.at_once + 1)]
    assert {answer.status_code for answer in answers[:-1]} == {404}
    assert (answers[-1].status_code, answers[-1].headers["retry-after"]) == (429, "1")
    assert answers[-1].headers["cache-control"] == "no-store"
