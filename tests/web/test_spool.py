"""What the spool took is there until it is written elsewhere, whatever happens to the process."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from serienmail.domain.errors import EnvironmentFault
from web.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """An empty one."""
    spool = Spool(tmp_path)
    yield spool
    spool.close()


async def test_entries_leave_in_the_order_they_came_and_only_once_they_are_written_elsewhere(spool: Spool) -> None:
    await asyncio.gather(*(spool.append({"n": n}) for n in range(100)))
    assert [entry["n"] for entry in await spool.leaving()] == list(range(100))
    await spool.append({"n": 100})
    assert len(await spool.leaving()) == 100
    await spool.gone()
    assert not spool.is_empty
    assert list(await spool.leaving()) == [{"n": 100}]
    await spool.gone()
    assert spool.is_empty


async def test_a_line_that_a_kill_cut_off_costs_no_other_and_is_kept_aside(spool: Spool, tmp_path: Path) -> None:
    await spool.append({"n": 1})
    with (tmp_path / "incoming.jsonl").open("ab") as file:
        file.write(b'{"n": 2, "half')
    await spool.append({"n": 3})
    assert list(await spool.leaving()) == [{"n": 1}, {"n": 3}]
    await spool.gone()
    assert spool.is_empty
    assert (tmp_path / "unreadable").read_bytes() == b'{"n": 2, "half\n'


async def test_two_processes_never_share_a_folder(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="give each its own"):
        Spool(tmp_path)
    spool.close()
    Spool(tmp_path).close()


async def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match="SERIENMAIL_SPOOL"):
        Spool(tmp_path / "file")
