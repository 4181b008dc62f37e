"""Group commit: one transaction for everybody who waits, since a commit costs the same for one as for a hundred."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class GroupCommit(Generic[Request, Answer]):
    """Collects requests while a transaction runs, and gives them all to the next one.

    commit: takes the requests in the order they came, returns their answers in that order. If it raises, each of its
    callers gets that exception.
    """

    def __init__(self, commit: Callable[[Sequence[Request]], Awaitable[Sequence[Answer]]], limit: int = 500) -> None:
        self._commit = commit
        self._limit = limit
        self._waiting: list[tuple[Request, asyncio.Future[Answer]]] = []
        self._runner: asyncio.Task[None] | None = None

    async def __call__(self, request: Request) -> Answer:
        """The answer, once its transaction is committed."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
            try:
                answers = await self._commit([request for request, _ in group])
            except Exception as error:
                for _, future in group:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), answer in zip(group, answers, strict=True):
                    if not future.done():  # its caller may have been cancelled; the commit stands all the same
                        future.set_result(answer)
