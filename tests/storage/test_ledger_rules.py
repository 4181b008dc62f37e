"""Never twice, never lost: whatever processes, people and databases do, in any order, the ledger keeps its rules.

LEDGER_EXAMPLES=500 tries other and more walks than the few that each test run repeats. LEDGER_UNSHRUNK=1 shows a walk
that fails as it was found: to look for a shorter one takes minutes.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, insert

from serienmail.domain.commands import Resolution
from serienmail.domain.delivery import Answer, MailRef, Outcome, StageKey, Verdict, given_back, outcome
from serienmail.domain.feedback import Feedback, Happening
from serienmail.storage import turns
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.feedback import FeedbackStore
from serienmail.storage.loading import RecipientStore
from serienmail.storage.mass_mails import MassMailStore
from serienmail.storage.slices import Slice
from serienmail.storage.tables import contact, delivery, event, mass_mail, stage, suppression
from serienmail.storage.tracking import Tracking
from tests.builders import (
    KEY,
    NOON,
    a_contact,
    a_job,
    a_ledger,
    a_load,
    a_person_opens,
    an_open_stage,
    an_order,
    rows,
)
from tests.fakes import Faulty
from tests.storage.truth import OPEN, Hand, Person, Truth

T = TypeVar("T")
EXAMPLES = int(os.environ.get("LEDGER_EXAMPLES", "0"))
PHASES = [Phase.generate] if "LEDGER_UNSHRUNK" in os.environ else list(Phase)
PEOPLE, ADDRESSES = 3, [f"person{number}@example.org" for number in range(1, 5)]
LAST_YEAR = StageKey("last-year", 0)  # its mails have arrived long ago: who opts out does so through them

which = st.integers(0, 9)
verdicts = st.sampled_from(Verdict)
someone, somewhere = st.integers(1, PEOPLE), st.sampled_from(ADDRESSES)


class LedgerRules(RuleBasedStateMachine):
    """Two workers on one stage, with everything that can happen to them; the truth is kept beside it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, database: Faulty) -> None:
        super().__init__()
        self.loop, self.database = loop, database
        self.now, self.epoch, self.out = NOON, 1, 0
        self.is_open, self.is_deleted = True, False
        self.readings: list[tuple[int, Slice]] = []  # of slices, some time ago, with their epochs
        self.hands: list[Hand] = []  # that write and answer
        self.asleep: list[Hand] = []  # that go on later, as if nothing had happened
        self.truth = Truth({})

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def told(self, work: Callable[[], Awaitable[T]]) -> T:
        """As an activity or a browser does it: without an answer it is tried again."""
        try:
            return await work()
        except OSError:
            return await work()

    async def rows(self) -> list[Any]:
        return await rows(self.database)

    @initialize(resends=st.booleans())
    def begin(self, resends: bool) -> None:
        self.wait_for(self._begin())
        self.truth = Truth({n: Person(ADDRESSES[n - 1], opt_in=n < PEOPLE) for n in range(1, PEOPLE + 1)}, resends)

    async def _begin(self) -> None:
        self.database.losses = 0
        async with self.database.write() as connection:
            for table in (event, delivery, stage, mass_mail, suppression, contact):
                await connection.execute(delete(table))
        people = [a_contact(number, opt_in=number < PEOPLE) for number in range(1, PEOPLE + 1)]
        self.workers = [await an_open_stage(self.database, people), a_ledger(self.database)]
        await MassMailStore(self.database).create(an_order(id=LAST_YEAR.mass_mail_id), NOON)
        async with self.database.write() as connection:
            for seq, address in enumerate(ADDRESSES, start=1):
                await connection.execute(insert(delivery).values(
                    mass_mail_id=LAST_YEAR.mass_mail_id, stage=0, seq=seq, contact_id=0, address=address,
                    address_key=address, state="sent", reason="", epoch=1, template="", tracked=True, doubted=False,
                    resent=False, attempts=1, reply="", message_id=""))  # fmt: skip

    # --- processes

    @rule(worker=st.integers(0, 1), older=st.integers(0, 1))
    def read(self, worker: int, older: int) -> None:
        epoch = self.epoch - older
        self.readings.append((epoch, self.wait_for(self.workers[worker].slice(a_job(epoch=epoch), self.now))))
        self.readings = self.readings[-4:]

    @precondition(lambda self: self.readings)
    @rule(which=which)
    def claim(self, which: int) -> None:
        self.wait_for(self._next(*self.readings[which % len(self.readings)]))

    @rule(lanes=st.integers(1, 2))
    def plan_and_claim(self, lanes: int) -> None:
        if not self.is_deleted:
            self.plan()
        self.wait_for(self._side_by_side(lanes))

    async def _side_by_side(self, lanes: int) -> None:
        slices = [await worker.slice(a_job(epoch=self.epoch), self.now) for worker in self.workers]
        await asyncio.gather(*(self._next(self.epoch, each) for _ in range(lanes) for each in slices))

    async def _next(self, epoch: int, slice: Slice, last: Outcome | None = None) -> None:
        try:
            claimed = await slice.next(self.now, last)
        except OSError:
            return  # nothing was claimed; the activity would begin anew
        if claimed is None:
            return
        assert self.is_open, "a stopped stage claims"
        assert epoch == self.epoch, "an older start of sending claims"
        self.truth.check_claim(claimed, self.hands + self.asleep, self.now)
        self.hands.append(Hand(claimed, epoch, slice, self.now))

    @precondition(lambda self: self.hands)
    @rule(which=which, verdict=verdicts, arrived=st.booleans(), go_on=st.booleans())
    def answer(self, which: int, verdict: Verdict, arrived: bool, go_on: bool) -> None:
        hand = self._take(self.hands, which)
        self.truth.dot(hand, verdict, arrived)
        last = outcome(hand.claimed, Answer(verdict, "the server's words"), self.now)
        self.wait_for(self._next(hand.epoch, hand.slice, last) if go_on else hand.slice.record(last))

    @precondition(lambda self: self.hands)
    @rule(which=which)
    def give_back(self, which: int) -> None:
        hand = self._take(self.hands, which)
        self.wait_for(hand.slice.record(given_back(hand.claimed, self.now)))

    @precondition(lambda self: self.hands)
    @rule(which=which, arrived=st.booleans())
    def kill(self, which: int, arrived: bool) -> None:
        self.truth.dot(self._take(self.hands, which), Verdict.IN_DOUBT, arrived)

    @precondition(lambda self: self.hands)
    @rule(which=which, verdict=st.none() | verdicts)
    def oversleep(self, which: int, verdict: Verdict | None) -> None:
        """Before the dot, or between the server's answer and the ledger; the others go on meanwhile."""
        hand = self._take(self.hands, which)
        if verdict:
            self.truth.dot(hand, verdict)
        self.asleep.append(hand)
        self.time_passes(21)
        if not self.is_deleted:
            self.plan()

    @precondition(lambda self: self.asleep)
    @rule(which=which)
    def wake(self, which: int) -> None:
        hand = self._take(self.asleep, which)
        if hand.dot is None:
            late = given_back(hand.claimed, self.now)
        else:
            late = outcome(hand.claimed, Answer(hand.dot, "late words"), self.now)
        self.wait_for(self._wake(hand, late))

    async def _wake(self, hand: Hand, late: Outcome) -> None:
        before = (await self.rows())[late.seq - 1]
        await hand.slice.record(late)
        after = (await self.rows())[late.seq - 1]
        if before.token != late.token:
            assert after == before, "a reply to an older claim changes the row"
        elif hand.dot is Verdict.ACCEPTED:
            assert after.state == "sent" or before.state in ("cancelled", "excluded"), "a late acceptance is lost"
        elif before.state != "handing_over":
            assert after == before, "a late reply changes a settled row"

    def _take(self, hands: list[Hand], which: int) -> Hand:
        return hands.pop(which % len(hands))

    @rule(minutes=st.sampled_from([1, 6, 21, 300]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        late = [hand for hand in self.hands if not hand.may_write(self.now)]
        self.hands = [hand for hand in self.hands if hand not in late]
        self.asleep += late  # they will look at the clock, and give their mails back

    @rule()
    def lose_an_answer(self) -> None:
        self.database.losses = 1

    # --- the stage's workflow

    @precondition(lambda self: not self.is_deleted)
    @rule()
    def plan(self) -> None:
        self.wait_for(self._plan())

    async def _plan(self) -> Any:
        ledger, truth = self.workers[0], self.truth
        plan = await self.told(lambda: ledger.plan(KEY, 2, self.now, resend=truth.resends, out=self.out))
        assert plan.out >= self.out, "mails that were out are forgotten"
        self.out = plan.out
        found = await self.rows()
        if not plan.slices and plan.wake_at is None:
            truth.check_over(found)
        planned = {seq for slice in plan.slices for seq in range(slice.first, slice.last + 1)}
        assert {row.seq for row in found if row.state == "pending"} <= planned, "somebody who is due is not planned"
        return plan

    @rule()
    def stop(self) -> None:
        self.is_open = False
        self.wait_for(self.told(lambda: self.workers[0].close_stage(KEY, self.epoch)))

    @precondition(lambda self: not self.is_deleted)
    @rule()
    def restart(self) -> None:
        self.epoch, self.is_open = self.epoch + 1, True
        self.wait_for(self.told(lambda: RecipientStore(self.database).load(a_load(), self.now)))
        self.wait_for(self.told(lambda: self.workers[1].open_stage(KEY, self.epoch)))

    @precondition(lambda self: not self.is_open)
    @rule()
    def delete_it(self) -> None:
        if self.wait_for(self.rows())[0].attempts == 0:
            return  # most walks are to go on
        self.is_deleted = True
        self.wait_for(self.told(lambda: self.workers[0].cancel(KEY)))

    @precondition(lambda self: not self.is_deleted)
    @rule()
    def send_again(self) -> None:
        self.wait_for(self._if_over(lambda: self.workers[0].reopen(KEY, True)))

    @precondition(lambda self: not self.is_deleted)
    @rule(resolution=st.sampled_from(Resolution), seqs=st.sets(someone))
    def resolve(self, resolution: Resolution, seqs: set[int]) -> None:
        self.wait_for(self._if_over(lambda: self._resolve(resolution, seqs)))

    async def _resolve(self, resolution: Resolution, seqs: set[int]) -> None:
        """Whoever says that a mail arrived has looked."""
        arrived = {seq for seq, _ in self.truth.inbox}
        before = {row.seq: row.state for row in await self.rows()}
        if resolution is Resolution.SENT and not (seqs and seqs <= arrived):
            return
        found = await self.told(lambda: self.workers[1].resolve(KEY, resolution, sorted(seqs), self.now))
        after = {row.seq: row.state for row in await self.rows()}
        if seqs and not found:
            assert after == before, "a word was refused, and obeyed"
        if resolution is Resolution.RESEND:
            self.truth.words.update(seq for seq in after if (before[seq], after[seq]) == ("unknown", "pending"))
        assert all(before[seq] in ("unknown", after[seq]) for seq in after), "a word changes who isn't in doubt"

    async def _if_over(self, work: Callable[[], Awaitable[object]]) -> None:
        if not [row for row in await self.rows() if row.state in OPEN]:
            await self.told(work)

    # --- people

    @rule(address=somewhere)
    def opt_out(self, address: str) -> None:
        seq = ADDRESSES.index(address) + 1
        self.wait_for(self.told(lambda: Tracking(self.database).unsubscribed(2, 0, seq, self.now)))
        self.truth.refuse(address, self.wait_for(self.rows()))

    @precondition(lambda self: self.truth.inbox)
    @rule(which=which, kind=st.sampled_from(["opened", "clicked", "bounced", "unsubscribed"]))
    def give_evidence(self, which: int, kind: str) -> None:
        seq, _ = self.truth.inbox[which % len(self.truth.inbox)]
        self.wait_for(self.told(lambda: self._tell(kind, seq)))
        row = self.wait_for(self.rows())[seq - 1]
        assert row.state in ("sent", "handing_over"), "evidence doesn't end the doubt"
        if kind == "unsubscribed":
            self.truth.refuse(row.address, self.wait_for(self.rows()))

    async def _tell(self, kind: str, seq: int) -> None:
        match kind:
            case "opened" | "clicked":
                await a_person_opens(self.database, seq, self.now, link=int(kind == "clicked"))
            case "bounced":
                name = f"of {seq} at {self.now}"
                news = Feedback(id=name, kind=Happening.BOUNCED, at=self.now, mail=MailRef(1, 0, seq))
                await FeedbackStore(self.database, patience=3).record([news])
            case _:
                await Tracking(self.database).unsubscribed(1, 0, seq, self.now)

    @rule(who=someone, to=somewhere, how=st.sampled_from(["moves", "agrees or not", "disappears"]))
    def change(self, who: int, to: str, how: str) -> None:
        person = self.truth.people[who]
        if how == "disappears":
            self.truth.people[who] = replace(person, gone=True)
            self.wait_for(self._leave(who))
        elif not person.gone:
            changed = replace(person, address=to) if how == "moves" else replace(person, opt_in=not person.opt_in)
            self.truth.people[who] = changed
            row = a_contact(who, email=changed.address, opt_in=changed.opt_in)
            self.wait_for(self.told(lambda: ContactStore(self.database).save([row])))

    async def _leave(self, who: int) -> None:
        async def forget() -> None:
            async with self.database.write() as connection:
                await connection.execute(delete(contact).where(contact.c.key == str(who)))

        await self.told(forget)

    # --- what must hold

    @invariant()
    def the_ledger_is_true(self) -> None:
        if self.truth.people:
            found = self.wait_for(self.rows())
            self.truth.check(found)
            assert all(row.reason for row in found if row.state == "excluded"), "SQLite's delivery_once goes by it"
            assert sum(self.wait_for(self.workers[0].counts(KEY)).by_state.values()) == len(found)

    def teardown(self) -> None:
        """Let it come to its end, as its workflow would, with a server that accepts everything."""
        if self.truth.people and not self.is_deleted:
            self.restart()
            self.wait_for(self._to_the_end())
            self.the_ledger_is_true()

    async def _to_the_end(self) -> None:
        for _ in range(40):
            plan = await self._plan()
            for hand in self.hands:
                self.truth.dot(hand, Verdict.ACCEPTED)
                await hand.slice.record(outcome(hand.claimed, Answer(Verdict.ACCEPTED), self.now))
            self.hands = []
            if plan.slices:
                await self._side_by_side(1)
            elif plan.wake_at:
                self.now = max(plan.wake_at, self.now)
            else:
                return
            self.truth.check(await self.rows())
        raise AssertionError("the stage never ends")


@pytest.fixture
def losing(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[asyncio.AbstractEventLoop, Faulty]]:
    """A database of this test's own loop: the machine's steps are ordinary functions."""
    monkeypatch.setattr(turns, "LOOKS_AGAIN_AFTER", 0.001)
    loop, losing = asyncio.new_event_loop(), Faulty(database.url)
    yield loop, losing
    loop.run_until_complete(losing.close())
    loop.close()


def test_whatever_happens_the_ledger_keeps_its_rules(losing: tuple[asyncio.AbstractEventLoop, Faulty]) -> None:
    walks = settings(
        max_examples=EXAMPLES or 25,
        stateful_step_count=40,
        derandomize=not EXAMPLES,
        phases=PHASES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    run_state_machine_as_test(lambda: LedgerRules(*losing), settings=walks)
