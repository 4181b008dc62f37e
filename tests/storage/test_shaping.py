"""SendingLimits and pauses in the ledger: for all workers together, across restarts, and for nobody else."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from serienmail.domain.delivery import Answer, Claimed, Pause, StageKey, Verdict, given_back, outcome
from serienmail.domain.provider import Provider, Providers
from serienmail.domain.sending_limits import SendingLimits
from serienmail.domain.shaping import NotNow
from serienmail.storage import shaping
from serienmail.storage.database import Database
from serienmail.storage.ledger import Ledger
from serienmail.storage.loading import RecipientStore
from serienmail.storage.shaping_tables import shape
from serienmail.storage.tables import suppression
from tests.builders import KEY, NOON, a_contact, a_job, a_ledger, a_load, an_open_stage, rows, states

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SENT = Answer(Verdict.ACCEPTED, "250 ok")
THROTTLED = Answer(Verdict.DEFERRED, "421 4.7.28 slow down", "421 4.7.28", pause=Pause.PROVIDER)
UNWANTED = Answer(Verdict.REJECTED, "550 5.7.1 spam", "550 5.7.1", pause=Pause.STAGE_FOR_PROVIDER)
BOUNCED = Answer(Verdict.REJECTED, "550 5.1.1 nobody", "550 5.1.1", suppress=True)


@pytest.fixture(autouse=True)
def others_are_heard_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shaping, "KNOWN_FOR", 0.0)


async def send(ledger: Ledger, now: datetime, answer: Answer = SENT, **job: Any) -> tuple[int, NotNow | None]:
    """A lane that hands over all it is given; how many, and why no more."""
    mails, wanted = await ledger.slice(a_job(**job), now), 0
    last = None
    while isinstance(claimed := await mails.next(now, last), Claimed):
        last = outcome(claimed, answer, now)
        wanted += 1
    return wanted, claimed


async def people_at(database: Database, *domains: str) -> Ledger:
    """An open stage with one recipient for each domain named."""
    contacts = [a_contact(n, email=f"person{n}@{domain}") for n, domain in enumerate(domains, 1)]
    return await an_open_stage(database, contacts)


async def test_two_workers_share_one_account_s_limit_and_a_restart_changes_nothing(database: Database) -> None:
    await an_open_stage(database, 100)
    limits = SendingLimits(per_hour=30)
    one, other = a_ledger(database, limits), a_ledger(database, limits)
    sent = await asyncio.gather(send(one, NOON), send(other, NOON))
    assert sum(mails for mails, _ in sent) == 30
    assert [why for _, why in sent] == [NotNow(NOON + 66 * MINUTE, "main: 30 an hour are out", of_account=True)] * 2
    restarted = a_ledger(database, limits)
    assert (await send(restarted, NOON + 65 * MINUTE))[0] == 0
    assert (await send(restarted, NOON + 66 * MINUTE))[0] == 30


async def test_an_account_without_limits_and_providers_without_trouble_leave_no_trace(database: Database) -> None:
    ledger = await an_open_stage(database, 20)
    assert await send(ledger, NOON) == (20, None)
    async with database.read() as connection:
        assert (await connection.execute(shape.select())).all() == []


async def test_what_could_not_be_claimed_after_all_uses_up_nothing(database: Database) -> None:
    await an_open_stage(database, 5)
    ledger = a_ledger(database, SendingLimits(per_hour=3))
    mails = await ledger.slice(a_job(), NOON)
    await a_ledger(database).close_stage(KEY, 1)
    assert await mails.next(NOON) is None
    await ledger.open_stage(KEY, 2)
    assert (await send(ledger, NOON, epoch=2))[0] == 3


async def test_a_provider_that_throttles_holds_its_own_recipients_alone_for_all_workers(database: Database) -> None:
    await people_at(database, "gmail.com", "web.de", "googlemail.com", "example.org")
    one, other = a_ledger(database), a_ledger(database)
    first = await (await one.slice(a_job(), NOON)).next(NOON)
    assert isinstance(first, Claimed)
    await one.record(outcome(first, THROTTLED, NOON))
    assert await send(other, NOON) == (2, None)  # the slice is read without them
    assert await states(database) == ["deferred", "sent", "pending", "sent"]
    plan = await other.plan(KEY, None, NOON, account="main")
    assert (plan.slices, plan.wake_at) == ((), NOON + MINUTE)
    assert "google wants less mail (421 4.7.28): 2 wait until 12:01 UTC" in plan.reason
    assert len((await other.plan(KEY, None, NOON + MINUTE, account="main")).slices) == 2
    assert (await rows(database))[0].attempts == 0


async def test_rows_already_read_are_held_back_when_their_provider_begins_to_rest(database: Database) -> None:
    ledger = await people_at(database, "gmail.com", "gmail.com", "web.de", "gmail.com")
    mails = await ledger.slice(a_job(), NOON)
    first = await mails.next(NOON)
    assert isinstance(first, Claimed)
    second = await mails.next(NOON, outcome(first, THROTTLED, NOON))
    assert isinstance(second, Claimed)
    assert second.provider == "gmx"
    assert isinstance(await mails.next(NOON, outcome(second, SENT, NOON)), NotNow)
    third = await mails.next(NOON + MINUTE)
    assert isinstance(third, Claimed)
    assert third.provider == "google"


async def test_a_provider_that_doesn_t_want_a_mass_mail_rests_for_this_stage_alone_and_then_gets_one(
    database: Database,
) -> None:
    ledger = await people_at(database, "gmail.com", "gmail.com", "gmail.com", "web.de")
    first = await (await ledger.slice(a_job(), NOON)).next(NOON)
    assert isinstance(first, Claimed)
    await ledger.record(outcome(first, UNWANTED, NOON))
    assert await send(ledger, NOON) == (1, None)
    assert await states(database) == ["rejected", "pending", "pending", "sent"]
    plan = await ledger.plan(KEY, None, NOON, account="main")
    assert plan.wake_at == NOON + HOUR
    assert "google doesn't want this mail (550 5.7.1): 2 wait until 13:00 UTC" in plan.reason
    winter = await ledger.plan(StageKey("winter", 0), None, NOON, account="main")
    assert winter.wake_at is None
    mails = await ledger.slice(a_job(), NOON + HOUR)
    probe = await mails.next(NOON + HOUR)
    assert isinstance(probe, Claimed)
    assert isinstance(await mails.next(NOON + HOUR), NotNow)
    assert isinstance(await mails.next(NOON + HOUR, outcome(probe, SENT, NOON + HOUR)), Claimed)


async def test_no_more_mails_are_in_hand_for_a_provider_than_it_allows(database: Database) -> None:
    await people_at(database, *["gmail.com"] * 6, "web.de")
    ledger = a_ledger(database)
    mails = await ledger.slice(a_job(), NOON)
    in_hand = [await mails.next(NOON) for _ in range(6)]
    providers = Counter(claimed.provider for claimed in in_hand if isinstance(claimed, Claimed))
    assert providers == {"google": 5, "gmx": 1}
    assert isinstance(await mails.next(NOON), NotNow)
    first = in_hand[0]
    assert isinstance(first, Claimed)
    assert isinstance(await mails.next(NOON, given_back(first, NOON)), Claimed)


async def test_each_of_three_workers_may_ask_a_provider_that_wants_hardly_anything(database: Database) -> None:
    ledger = await people_at(database, *["gmail.com"] * 5)
    for hour in range(5):
        mails = await ledger.slice(a_job(), NOON + hour * HOUR)
        claimed = await mails.next(NOON + hour * HOUR)
        assert isinstance(claimed, Claimed)
        await ledger.record(outcome(claimed, THROTTLED, NOON + hour * HOUR))
    workers = [shaping.Shaping(database, {"main": SendingLimits(connections=10)}, Providers()) for _ in range(3)]
    for worker in workers * 2:
        await worker.renew("main", ["autumn"])
    assert [worker.provider_connections("main", "google") for worker in workers] == [1, 1, 1]


async def test_a_provider_of_the_settings_has_its_own_rate(database: Database) -> None:
    await people_at(database, "a.example", "a.example", "b.example", "c.example")
    small = Providers({"small": Provider(domains=("a.example", "b.example"), limits=SendingLimits(per_minute=2))})
    sent, why = await send(a_ledger(database, providers=small), NOON)
    assert (sent, why) == (3, NotNow(NOON + timedelta(seconds=66), "small: 2 a minute are out"))


async def test_a_hard_bounce_suppresses_the_address_everywhere_at_once(database: Database) -> None:
    ledger = await an_open_stage(database, 2)
    winter = StageKey("winter", 0)
    await RecipientStore(database).load(a_load(winter), NOON)
    first = await (await ledger.slice(a_job(), NOON)).next(NOON)
    assert isinstance(first, Claimed)
    await ledger.record(outcome(first, BOUNCED, NOON))
    assert await states(database) == ["rejected", "pending"]
    assert await states(database, winter) == ["excluded:suppressed", "pending"]
    assert await ledger.reopen(KEY, opted_in_only=True) == 0  # nobody sends there again
    async with database.read() as connection:
        listed = (await connection.execute(suppression.select())).one()
    assert (listed.address_key, listed.reason, listed.source) == ("person1@example.org", "bounced", "hard")


async def test_a_change_of_limits_reaches_every_worker(database: Database) -> None:
    await an_open_stage(database, 10)
    ledger = a_ledger(database, SendingLimits(connections=10))
    store = shaping.Shaping(database, {"main": SendingLimits(connections=10)}, Providers()).limits
    await store.change("main", {"per_hour": 4}, by="root", now=NOON)
    assert (await send(ledger, NOON))[0] == 4
    await store.change("main", {"per_hour": None}, by="root", now=NOON)
    assert (await send(ledger, NOON))[0] == 6
