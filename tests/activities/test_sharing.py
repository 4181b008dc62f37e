"""Two mass mails on one account, each sent by a worker of its own, on a real database and by the real clock."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from temporalio.testing import ActivityEnvironment

from activities.sending import SendActivities
from serienmail.domain.delivery import StageKey
from serienmail.domain.sending_limits import SendingLimits
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.loading import RecipientStore
from serienmail.storage.mass_mails import MassMailStore
from tests.builders import NOON, a_contact, a_job, a_ledger, a_load, an_order, rows
from tests.fakes import FakePost, FakePostOffice

PER_SECOND = 20
SECOND = timedelta(seconds=1)


async def sent_at(database: Database, mass_mail: str) -> list[datetime]:
    """When its mails went out, by the ledger."""
    return [row.handed_over_at for row in await rows(database, StageKey(mass_mail, 0)) if row.state == "sent"]


async def test_in_ten_seconds_each_gets_about_half_and_both_together_no_more_than_the_limit(
    database: Database,
) -> None:
    await ContactStore(database).save([a_contact(n) for n in range(1, 301)])
    sending = []
    for number, name in enumerate(("autumn", "winter"), 1):
        key = StageKey(name, 0)
        await MassMailStore(database).create(an_order(id=name), NOON + number * SECOND)
        await RecipientStore(database).load(a_load(key), NOON)
        ledger = a_ledger(database, SendingLimits(connections=10, per_second=PER_SECOND))  # its own process
        await ledger.open_stage(key, 1)
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, started_time=datetime.now(UTC))
        work = SendActivities(ledger, FakePostOffice(FakePost()))
        sending.append((environment, asyncio.ensure_future(environment.run(work.send_slice, a_job(key=key)))))
    await asyncio.sleep(12)
    for environment, _ in sending:
        environment.cancel()
    await asyncio.gather(*(running for _, running in sending), return_exceptions=True)
    out = {name: await sent_at(database, name) for name in ("autumn", "winter")}
    begin = max(min(times) for times in out.values()) + SECOND
    counted = [sum(begin <= at < begin + 10 * SECOND for at in times) for times in out.values()]
    assert 0.4 <= counted[0] / sum(counted) <= 0.6
    assert sum(counted) >= PER_SECOND * 10 * 0.7
    together = sorted([*out["autumn"], *out["winter"]])
    skew = timedelta(milliseconds=100)  # each worker writes the time of its own clock
    assert all(later - at > SECOND - skew for at, later in zip(together, together[PER_SECOND:], strict=False))
