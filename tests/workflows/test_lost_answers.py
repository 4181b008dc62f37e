"""Every step's first answer gets lost, as if its worker had been killed just before it: nobody notices."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.failures import PrivateFailures
from serienmail.domain.commands import Resolution
from serienmail.domain.crm_record import CrmRecord, Extent
from serienmail.domain.states import MassMailState
from tests.builders import a_contact
from tests.mailing.smtp_server import HANG_UP
from tests.workflows.slow_server import SlowServer
from tests.world import DAY, OWNER, World, follow_up


class Forgetful(ActivityInboundInterceptor):
    """Does what it is asked for, and doesn't say so the first time; but slices, after which a stage waits for 30 s."""

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        result = await super().execute_activity(input)
        if activity.info().attempt == 1 and activity.info().activity_type != "send_slice":
            raise ApplicationError("its answer got lost", type="Lost", next_retry_delay=timedelta(milliseconds=10))
        return result


@pytest.fixture(autouse=True)
async def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the world and its workers."""
    guarded = PrivateFailures.intercept_activity
    monkeypatch.setattr(PrivateFailures, "intercept_activity", lambda self, next: Forgetful(guarded(self, next)))


async def test_everybody_gets_each_mail_once_and_the_crm_each_entry(world: World, server: SlowServer) -> None:
    server.go_on()
    await world.services.contacts.save([a_contact(1), a_contact(2), a_contact(3, opt_in=False)])
    kept = CrmRecord(activities=Extent.EACH)
    await world.start("lost", due=None, account="slow", crm=kept, follow_ups=(follow_up(1),))
    await world.until("lost", MassMailState.FOLLOWING_UP)
    server.answers["rcpt"] = "554 5.3.0 not today"
    await world.skip("lost", DAY)
    await world.until("lost", MassMailState.INCOMPLETE_WITH_ERRORS)
    del server.answers["rcpt"]
    server.answers["dot"] = HANG_UP
    await world.mails.send_again("lost", by=OWNER)
    await world.until_states("lost", {"sent": 2, "excluded": 1}, {"unknown": 2})
    await world.until("lost", MassMailState.INCOMPLETE_WITH_ERRORS)
    del server.answers["dot"]
    await world.mails.resolve("lost", OWNER, Resolution.RESEND, stage=1)
    await world.until_states("lost", {"sent": 2, "excluded": 1}, {"sent": 2})
    await world.until("lost", MassMailState.INCOMPLETE)
    assert server.recipients() == sorted(["person1@example.org", "person2@example.org"] * 2)
    entries = await world.services.activities.list(mass_mail_id="lost")
    assert sorted((each.stage, each.contact) for each in entries) == [(0, "1"), (0, "2"), (1, "1"), (1, "2")]
