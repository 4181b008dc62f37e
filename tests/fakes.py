"""One fake for each port, with its state in view."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from serienmail.domain.delivery import Answer, Claimed, Counts, Outcome, SliceJob, StageKey, Verdict
from serienmail.domain.errors import EnvironmentFault, PlaceholderMissing
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.loading import Load
from serienmail.domain.requirement import Requirement
from serienmail.domain.states import DeliveryState
from serienmail.mailing.message import Mail
from serienmail.mailing.replies import InDoubt, Phase, Reply
from serienmail.mailing.slots import Slots
from serienmail.storage.database import Database
from serienmail.storage.steps import Writes

KEY = StageKey("autumn", 0)
DATED = datetime(2026, 11, 22, tzinfo=UTC)


def claimed(seq: int, attempts: int = 1) -> Claimed:
    """A row that is ours to hand over."""
    return Claimed(
        key=KEY,
        seq=seq,
        token=f"{seq:032x}",
        number=1,
        address=f"person{seq}@example.org",
        contact={"last_name": f"Person{seq}", "city": ""},
        tracked=True,
        message_id=f"<{seq}@example.com>",
        dated_at=DATED,
        attempts=attempts,
    )


class FakeLedger:
    """Rows to claim, and the outcomes that came; it is its own slice."""

    def __init__(self, rows: int) -> None:
        self.waiting = [claimed(seq) for seq in range(1, rows + 1)]
        self.outcomes: list[Outcome] = []

    def __len__(self) -> int:
        return len(self.waiting)

    async def slice(self, job: SliceJob, now: datetime) -> "FakeLedger":
        return self

    async def next(self, now: datetime, last: Outcome | None = None) -> Claimed | None:
        if last:
            await self.record(last)
        await asyncio.sleep(0)
        return self.waiting.pop(0) if self.waiting else None

    async def record(self, outcome: Outcome) -> None:
        await asyncio.sleep(0)
        self.outcomes.append(outcome)
        if outcome.state is DeliveryState.PENDING:
            self.waiting.append(claimed(outcome.seq))


class FakePost:
    """Delivers by a function; counts how many mails are in hand at once."""

    connections = 3

    def __init__(self, answer: Callable[[Claimed], Answer] = lambda _: Answer(Verdict.ACCEPTED)) -> None:
        self.slots = Slots(lambda: self.connections)
        self.answer = answer
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.full = asyncio.Event()  # as many in hand as there are connections
        self.begun: list[int] = []
        self.in_hand = self.most_in_hand = 0

    @asynccontextmanager
    async def in_use(self, mass_mail: str) -> AsyncIterator[None]:
        yield

    async def deliver(self, claimed: Claimed) -> Answer:
        self.begun.append(claimed.seq)
        self.in_hand += 1
        self.most_in_hand = max(self.most_in_hand, self.in_hand)
        if self.in_hand == self.connections:
            self.full.set()
        try:
            await self.go_on.wait()
            await asyncio.sleep(0)
            return self.answer(claimed)
        finally:
            self.in_hand -= 1


class FakePostOffice:
    """Has one post, whatever is asked for."""

    def __init__(self, post: FakePost) -> None:
        self._post = post

    async def post(self, template: str, account: str, follow_up: bool) -> FakePost:
        return self._post


class FakeRecipients:
    """Recipients in a list; those excluded are gone from it."""

    def __init__(self, contacts: Sequence[Mapping[str, Any]]) -> None:
        self.rows = dict(enumerate(contacts, start=1))
        self.excluded: dict[int, Exclusion] = {}
        self.at_most = len(self.rows)

    async def load(self, load: Load, now: datetime) -> Counts:
        return await self.counts(load.key)

    async def pending(self, key: StageKey) -> Any:
        yield [(seq, row) for seq, row in self.rows.items() if seq not in self.excluded]

    async def faults(self, key: StageKey, requirements: Sequence[Requirement]) -> dict[str, int]:
        return dict(Counter(fault for faults in self._faults(requirements).values() for fault in faults))

    async def exclude_faulty(self, key: StageKey, requirements: Sequence[Requirement], reason: Exclusion) -> None:
        self.excluded.update(dict.fromkeys(self._faults(requirements), reason))

    def _faults(self, requirements: Sequence[Requirement]) -> dict[int, set[str]]:
        found = {seq: {one.fault for one in requirements if not row[one.field]} for seq, row in self.rows.items()}
        return {seq: faults for seq, faults in found.items() if faults}

    async def exclude(self, key: StageKey, seqs: Sequence[int], reason: Exclusion) -> None:
        self.excluded.update(dict.fromkeys(seqs, reason))

    async def looks_again(self, load: Load, now: datetime) -> datetime | None:
        return None

    async def limit(self, key: StageKey) -> None:
        left = [seq for seq in self.rows if seq not in self.excluded]
        self.excluded.update(dict.fromkeys(left[self.at_most :], Exclusion.OVER_LIMIT))

    async def counts(self, key: StageKey) -> Counts:
        reasons = list(self.excluded.values())
        return Counts(selected=len(self.rows), excluded={reason: reasons.count(reason) for reason in set(reasons)})


class FakeVisits:
    """Remembers which stages were judged."""

    def __init__(self) -> None:
        self.judged: list[StageKey] = []

    async def judge_stage(self, key: StageKey, now: datetime) -> None:
        self.judged.append(key)


class FakeTemplates:
    """Templates that need these contact fields, by ``name@revision``. plain: the database can check them."""

    def __init__(self, needed: Mapping[str, Sequence[str]], *, plain: bool = False) -> None:
        self._needed = needed
        self._plain = plain

    async def requirements(self, templates: Sequence[str], account: str) -> Sequence[Requirement] | None:
        if not self._plain:
            return None
        return [Requirement(field, f"contact.{field}") for name in templates for field in self._needed[name]]

    async def check(self, template: str, account: str) -> Callable[[Mapping[str, Any]], None]:
        def run(contact: Mapping[str, Any]) -> None:
            for field in self._needed[template]:
                if not contact.get(field):
                    raise PlaceholderMissing(f"contact.{field}")

        return run


class FakeTransport:
    """Keeps the mails; answers as told."""

    def __init__(self, reply: Reply | InDoubt | None = None) -> None:
        self.reply = reply or Reply(Phase.DOT, 250, "2.0.0 ok")
        self.sent: list[Mail] = []
        self.deadlines: list[float | None] = []
        self.closed = False

    async def send(self, mail: Mail, *, deadline: float | None = None) -> Reply | InDoubt:
        self.sent.append(mail)
        self.deadlines.append(deadline)
        return self.reply

    async def close(self) -> None:
        self.closed = True


class Faulty(Database):
    """Counts commits. Fails as often as told: ``losses`` times after the commit, then ``refusals`` times before it.

    lost: set when an answer was lost.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.commits = self.refusals = self.losses = 0
        self.lost = asyncio.Event()

    @asynccontextmanager
    async def write(self, *, by_key: bool = False) -> AsyncIterator[AsyncConnection]:
        with self._trouble():
            async with super().write(by_key=by_key) as connection:
                yield connection

    async def write_in_one_step(self, writes: Writes) -> frozenset[str]:
        with self._trouble():
            return await super().write_in_one_step(writes)

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        if self.refusals and not self.losses:
            self.refusals -= 1
            raise EnvironmentFault("the database is away; start it.")
        yield
        self.commits += 1
        if self.losses:
            self.losses -= 1
            self.lost.set()
            raise OSError("the connection was lost")
