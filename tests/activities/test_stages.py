"""Planning asks the mail server's own record about mails in doubt first; a step tried twice is as good as once."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from temporalio.testing import ActivityEnvironment

from activities.stages import PlanRequest, Reopening, StageActivities
from serienmail.domain.delivery import HAND_OVER_LIMIT, Plan, SliceRange
from serienmail.domain.doubt import TRACED_AFTER, Finding
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from tests.builders import KEY, NOON, a_contact, a_job, an_open_stage, claim, states


class FakeEvidence:
    """Finds what it was given, for accounts named ``traced``; keeps what it was asked."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        self.asked: list[Mapping[str, datetime]] = []

    def traces(self, account: str) -> bool:
        return account == "traced"

    async def find(self, account: str, since: Mapping[str, datetime]) -> Mapping[str, Finding]:
        self.asked.append(since)
        return dict.fromkeys(since, self.finding)


async def planned(database: Database, evidence: FakeEvidence, account: str) -> Plan:
    """The plan for one mail whose worker was killed a while ago."""
    ledger = await an_open_stage(database, 1)
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, started_time=NOON + TRACED_AFTER)
    await claim(ledger, a_job(), NOON)
    return await environment.run(StageActivities(ledger, evidence).plan_slices, PlanRequest(KEY, account=account))


async def test_a_mail_that_was_accepted_is_over(database: Database) -> None:
    plan = await planned(database, FakeEvidence(Finding.ACCEPTED), "traced")
    assert await states(database) == ["sent"]
    assert (plan.slices, plan.wake_at) == ((), None)


async def test_a_mail_that_never_came_is_planned_at_once(database: Database) -> None:
    evidence = FakeEvidence(Finding.NOT_ACCEPTED)
    plan = await planned(database, evidence, "traced")
    assert plan.slices == (SliceRange(1, 1),)
    assert evidence.asked == [{"<1.0.1@main>": NOON}]


async def test_without_a_record_nobody_is_asked_and_it_waits(database: Database) -> None:
    evidence = FakeEvidence(Finding.NOT_ACCEPTED)
    plan = await planned(database, evidence, "main")
    assert evidence.asked == []
    assert plan.wake_at == NOON + HAND_OVER_LIMIT


async def test_a_second_try_to_send_again_after_a_lost_answer_has_the_same_answer(database: Database) -> None:
    """Else a worker killed after the commit would leave its follow-up's mails due, and nobody would send them."""
    ledger = await an_open_stage(database, [a_contact(1, opt_in=False)])
    await ContactStore(database).save([a_contact(1)])
    activities = StageActivities(ledger, FakeEvidence(Finding.UNCLEAR))
    tries = [await activities.reopen_stage(Reopening(KEY, opted_in_only=True)) for _ in range(2)]
    assert tries == [1, 1]
