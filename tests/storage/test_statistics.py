"""The statistics agree with the ledger whatever happened to it, and each number opens exactly its mails."""

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, insert

from serienmail.domain.commands import Resolution
from serienmail.domain.delivery import HAND_OVER_LIMIT, Answer, MailRef, Verdict, outcome
from serienmail.domain.errors import CommandRefused, InvalidOrder, NotFound
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.feedback import Feedback, Happening, Severity
from serienmail.domain.mass_mail import Audience, FollowUp
from serienmail.domain.provider import Providers
from serienmail.domain.statistics import Number, numbers_of
from serienmail.domain.suppression import AddressHash
from serienmail.storage.database import Database
from serienmail.storage.feedback import FeedbackStore
from serienmail.storage.mass_mails import MassMailStore
from serienmail.storage.persons import PersonStore
from serienmail.storage.statistics import StatisticsStore
from serienmail.storage.tables import contact, delivery, event, feedback, mass_mail, stage, suppression
from serienmail.storage.tracking import Tracking
from tests.builders import KEY, NOON, a_contact, a_job, a_person_opens, an_open_stage, an_order, claim, rows

T = TypeVar("T")
EXAMPLES = int(os.environ.get("LEDGER_EXAMPLES", "0"))
PEOPLE = 6
someone = st.integers(1, PEOPLE)


class AnythingHappens(RuleBasedStateMachine):
    """A stage with everything that the real stores can do to it; each time, everything is counted once more."""

    def __init__(self, loop: asyncio.AbstractEventLoop, database: Database) -> None:
        super().__init__()
        self.loop, self.database = loop, database
        self.now, self.news = NOON, 0

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        self.wait_for(self._begin())

    async def _begin(self) -> None:
        async with self.database.write() as connection:
            for table in (event, feedback, delivery, stage, mass_mail, suppression, contact):
                await connection.execute(delete(table))
        people = [a_contact(n, tracking=n % 3 > 0, opt_in=n < PEOPLE) for n in range(1, PEOPLE + 1)]
        self.ledger = await an_open_stage(self.database, people)

    @rule(verdict=st.sampled_from(Verdict))
    def hand_over(self, verdict: Verdict) -> None:
        claimed = self.wait_for(claim(self.ledger, a_job(), self.now))
        if claimed is not None:
            self.wait_for(self.ledger.record(outcome(claimed, Answer(verdict, "the answer"), self.now)))

    @rule()
    def claim_and_fall_silent(self) -> None:
        self.wait_for(claim(self.ledger, a_job(), self.now))

    @rule(resend=st.booleans())
    def settle(self, resend: bool) -> None:
        self.now += HAND_OVER_LIMIT
        self.wait_for(self.ledger.plan(KEY, None, self.now, resend=resend))

    @rule(seq=someone, link=st.integers(0, 2))
    def open_or_click(self, seq: int, link: int) -> None:
        self.now += timedelta(minutes=1)
        self.wait_for(a_person_opens(self.database, seq, self.now, link=link))

    @rule(seq=someone, kind=st.sampled_from(Happening), severity=st.sampled_from([None, *Severity]))
    def come_back(self, seq: int, kind: Happening, severity: Severity | None) -> None:
        self.news += 1
        told = Feedback(id=str(self.news), kind=kind, at=self.now, mail=MailRef(1, 0, seq), severity=severity)
        self.wait_for(FeedbackStore(self.database, patience=3).record([told]))

    @rule(seq=someone)
    def unsubscribe(self, seq: int) -> None:
        self.wait_for(Tracking(self.database).unsubscribed(1, 0, seq, self.now))

    @rule(word=st.sampled_from(Resolution))
    def resolve(self, word: Resolution) -> None:
        self.wait_for(self.ledger.resolve(KEY, word, [], self.now))

    @rule()
    def send_again(self) -> None:
        self.wait_for(self.ledger.reopen(KEY, opted_in_only=False))

    @rule(seq=someone)
    def erase(self, seq: int) -> None:
        persons = PersonStore(self.database, AddressHash(b"k" * 32))
        with suppress(CommandRefused):  # a mail to it is in hand
            self.wait_for(persons.erase(f"person{seq}@example.org", by="anna", now=self.now))

    @rule()
    def cancel(self) -> None:
        self.wait_for(self.ledger.cancel(KEY))

    @invariant()
    def the_numbers_are_those_of_the_rows(self) -> None:
        self.wait_for(self._compare_numbers())

    def teardown(self) -> None:
        self.wait_for(self._compare_lists())

    async def _compare_numbers(self) -> None:
        mails = await rows(self.database)
        counted = (await StatisticsStore(self.database, Providers()).of(KEY.mass_mail_id)).stages[0]
        told = Counter(number for mail in mails for number in numbers_of(mail))
        assert counted.numbers == {number: told[number] for number in Number}
        assert counted.excluded == Counter(mail.reason for mail in mails if mail.state == "excluded")

    async def _compare_lists(self) -> None:
        mails = await rows(self.database)
        for number in Number:
            page = await StatisticsStore(self.database, Providers()).behind(KEY.mass_mail_id, number)
            assert [story.seq for story in page.recipients] == [m.seq for m in mails if number in numbers_of(m)]


@pytest.fixture
def alone(database: Database) -> Iterator[tuple[asyncio.AbstractEventLoop, Database]]:
    """A database of this test's own loop: hypothesis calls functions, not coroutines."""
    loop, own = asyncio.new_event_loop(), Database(database.url)
    yield loop, own
    loop.run_until_complete(own.close())
    loop.close()


def test_whatever_happens_the_numbers_and_lists_agree_with_the_ledger(
    alone: tuple[asyncio.AbstractEventLoop, Database],
) -> None:
    walks = settings(
        max_examples=EXAMPLES or 10,
        stateful_step_count=25,
        derandomize=not EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    run_state_machine_as_test(lambda: AnythingHappens(*alone), settings=walks)


async def a_follow_up_too(database: Database) -> StatisticsStore:
    """Five mails, of which two bounced and one was excluded, and a follow-up with one bounce."""
    await MassMailStore(database).create(
        an_order(follow_ups=(FollowUp(template="autumn@1", audience=Audience.RECEIVED, after=timedelta(days=3)),)), NOON
    )
    mail = {"mass_mail_id": "autumn", "contact_id": 0, "state": "sent", "tracked": True}
    async with database.write() as connection:
        for place, seq, fields in (
            (0, 1, {"bounced_at": NOON}),
            (0, 2, {}),
            (0, 3, {"bounced_at": NOON}),
            (0, 4, {"state": "excluded", "reason": Exclusion.NO_OPT_IN}),
            (0, 5, {"state": "excluded", "reason": Exclusion.DUPLICATE}),
            (1, 1, {"bounced_at": NOON}),
        ):
            await connection.execute(insert(delivery).values({**mail, "stage": place, "seq": seq, **fields}))
    return StatisticsStore(database, Providers())


async def test_a_list_is_read_a_page_at_a_time_through_all_stages(database: Database) -> None:
    store = await a_follow_up_too(database)
    first = await store.behind("autumn", Number.BOUNCED, limit=2)
    assert [(story.stage, story.seq) for story in first.recipients] == [(0, 1), (0, 3)]
    assert first.next is not None
    last = await store.behind("autumn", Number.BOUNCED, limit=2, after=first.next)
    assert [(story.stage, story.seq) for story in last.recipients] == [(1, 1)]
    assert last.next is None


async def test_a_list_can_be_of_one_stage_and_of_one_reason(database: Database) -> None:
    store = await a_follow_up_too(database)
    of_follow_up = await store.behind("autumn", Number.BOUNCED, stage=1)
    assert len(of_follow_up.recipients) == 1
    not_opted_in = await store.behind("autumn", Number.EXCLUDED, exclusion=Exclusion.NO_OPT_IN)
    assert [story.seq for story in not_opted_in.recipients] == [4]


async def test_a_stage_that_isnt_loaded_counts_nobody(database: Database) -> None:
    await an_open_stage(database, 2)
    assert (await StatisticsStore(database, Providers()).of("autumn")).stages.keys() == {0}
    async with database.write() as connection:
        await connection.execute(delete(delivery))
    assert (await StatisticsStore(database, Providers()).of("autumn")).total.numbers[Number.SELECTED] == 0


async def test_a_page_that_nobody_gave_is_refused_with_what_to_give(database: Database) -> None:
    store = await a_follow_up_too(database)
    with pytest.raises(InvalidOrder, match="'next'"):
        await store.behind("autumn", Number.SENT, after="0-1; DROP TABLE delivery")


async def test_statistics_of_no_mass_mail_are_refused(database: Database) -> None:
    with pytest.raises(NotFound):
        await StatisticsStore(database, Providers()).of("nothing")
