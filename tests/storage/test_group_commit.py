"""Whoever waits while a transaction runs goes into the next one together."""

import asyncio
from collections.abc import Sequence

import pytest

from serienmail.storage.group_commit import GroupCommit


class Commits:
    """Answers each number with its double, one turn of the loop later; fails for 13."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.begun = asyncio.Event()

    async def __call__(self, requests: Sequence[int]) -> Sequence[int]:
        self.groups.append(list(requests))
        self.begun.set()
        await asyncio.sleep(0)
        if 13 in requests:
            raise OSError("the commit failed")
        return [request * 2 for request in requests]


async def test_everybody_who_waits_is_committed_together_and_gets_their_own_answer() -> None:
    commits = Commits()
    group = GroupCommit(commits)
    assert await asyncio.gather(*(group(number) for number in range(10))) == list(range(0, 20, 2))
    assert commits.groups == [list(range(10))]


async def test_who_comes_during_a_commit_waits_for_the_next() -> None:
    commits = Commits()
    group = GroupCommit(commits)
    first = asyncio.create_task(group(1))
    await commits.begun.wait()
    assert [*await asyncio.gather(group(2), group(3)), await first] == [4, 6, 2]
    assert commits.groups == [[1], [2, 3]]


async def test_a_group_has_a_limit() -> None:
    commits = Commits()
    group = GroupCommit(commits, limit=4)
    await asyncio.gather(*(group(number) for number in range(10)))
    assert [len(each) for each in commits.groups] == [4, 4, 2]


async def test_a_failed_commit_fails_for_each_of_its_callers_and_for_nobody_else() -> None:
    group = GroupCommit(Commits(), limit=2)
    answers = await asyncio.gather(*(group(number) for number in (12, 13, 14)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [OSError, OSError, int]


async def test_a_caller_who_gave_up_disturbs_nobody() -> None:
    commits = Commits()
    group = GroupCommit(commits)
    impatient, patient = asyncio.create_task(group(1)), asyncio.create_task(group(2))
    await commits.begun.wait()
    impatient.cancel()
    assert await patient == 4
    with pytest.raises(asyncio.CancelledError):
        await impatient
