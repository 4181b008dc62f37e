"""A slice that may not go on: a moment is waited in place, more is said; other mass mails get their turn meanwhile."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from temporalio.testing import ActivityEnvironment

from activities.sending import SendActivities, SliceResult
from serienmail.domain.delivery import Claimed, Outcome, StageKey
from serienmail.domain.shaping import NotNow
from tests.activities.test_sending import JOB
from tests.fakes import FakeLedger, FakePost, FakePostOffice


class Limited(FakeLedger):
    """Says "not now" once, after so many mails."""

    def __init__(self, rows: int, after: int, wait: timedelta, *, of_account: bool) -> None:
        super().__init__(rows)
        self._left, self._wait, self._of_account = after, wait, of_account
        self.refused: NotNow | None = None

    async def next(self, now: datetime, last: Outcome | None = None) -> Claimed | NotNow | None:
        if self._left == 0 and (self.refused is None or now < self.refused.until):
            if last:
                await self.record(last)
            self.refused = self.refused or NotNow(now + self._wait, "main: 2 an hour are out", self._of_account)
            return self.refused
        self._left -= 1
        return await super().next(now, last)


class Told(FakeLedger):
    """Of one mass mail; tells in a log that several share which one a mail was of."""

    def __init__(self, mass_mail: str, rows: int, log: list[str]) -> None:
        super().__init__(rows)
        self.job = replace(JOB, key=StageKey(mass_mail, 0))
        self._log = log

    async def record(self, outcome: Outcome) -> None:
        self._log.append(self.job.key.mass_mail_id)
        await super().record(outcome)


async def send(ledger: FakeLedger) -> SliceResult:
    activities = SendActivities(ledger, FakePostOffice(FakePost()))
    return await ActivityEnvironment().run(activities.send_slice, JOB)


async def test_a_short_wait_is_slept_in_the_slice() -> None:
    ledger = Limited(9, 4, timedelta(milliseconds=50), of_account=True)
    assert await send(ledger) == SliceResult(9)


async def test_a_long_wait_ends_the_slice_which_says_until_when_and_why() -> None:
    ledger = Limited(9, 4, timedelta(hours=1), of_account=True)
    result = await send(ledger)
    assert ledger.refused is not None
    assert result == SliceResult(4, ledger.refused.until, "main: 2 an hour are out")
    assert len(ledger.outcomes) == 4


async def test_a_provider_that_rests_for_long_ends_the_slice_and_holds_up_nothing_else() -> None:
    assert await send(Limited(9, 4, timedelta(hours=1), of_account=False)) == SliceResult(4)


async def test_two_mass_mails_in_one_process_get_the_account_s_connections_in_turn() -> None:
    log = list[str]()
    autumn, winter, office = Told("autumn", 60, log), Told("winter", 20, log), FakePostOffice(FakePost())
    slices = [autumn] * 4 + [winter]
    sending = [(ActivityEnvironment(), SendActivities(each, office).send_slice, each.job) for each in slices]
    await asyncio.gather(*(environment.run(send_slice, job) for environment, send_slice, job in sending))
    assert (len(autumn.outcomes), len(winter.outcomes)) == (60, 20)
    while_both_send = log[3:33]
    assert 0.4 <= while_both_send.count("winter") / len(while_both_send) <= 0.6
