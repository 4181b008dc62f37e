"""SendingLimits and providers that want less: the mass mail waits and says until when, and goes on by itself."""

import re
from datetime import timedelta

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from serienmail.domain.states import MassMailState
from tests.builders import a_contact
from tests.workflows.slow_server import SlowServer
from tests.world import World, everybody


class Gmail(SlowServer):
    """Takes nothing for gmail.com while it is busy."""

    busy = True

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.busy and address.endswith("@gmail.com"):
            return "421 4.7.28 our system has detected an unusual rate"
        return await super().handle_RCPT(server, session, envelope, address, options)


@pytest.fixture
async def server() -> SlowServer:
    """Instead of the usual one: it throttles Google's recipients, and answers at once."""
    server = Gmail()
    server.go_on()
    return server


async def test_a_limit_makes_it_wait_with_the_time_and_it_continues_by_itself(world: World) -> None:
    await world.mails.change_limits("marketing", by="root", per_hour=30)
    await world.contacts(100)
    await world.start("hourly", due=None)
    status = await world.until("hourly", MassMailState.WAITING_TO_CONTINUE)
    assert re.search(r"until \d{4}-\d\d-\d\d \d\d:\d\d.*: marketing: 30 an hour are out", status.reason)
    assert len(world.received()) == 30
    await world.environment.fast_forward(world.sending("hourly"), timedelta(minutes=67))
    await world.until_received(60)
    await world.environment.fast_forward(world.sending("hourly"), timedelta(hours=3))
    await world.mails.wait("hourly")
    assert world.received() == everybody(100)


async def test_a_limit_that_is_raised_is_noticed_by_a_mass_mail_that_waits_for_it(world: World) -> None:
    await world.mails.change_limits("marketing", by="root", per_day=2)
    await world.contacts(5)
    await world.start("daily", due=None)
    await world.until("daily", MassMailState.WAITING_TO_CONTINUE)
    await world.mails.change_limits("slow", by="root", per_day=9)
    await world.mails.change_limits("marketing", by="root", per_day=None)
    assert (await world.mails.wait("daily")).state is MassMailState.FINISHED_AUTOMATICALLY
    assert world.received() == everybody(5)
    events = (await world.sending("daily").fetch_history()).events
    assert sum(event.HasField("workflow_execution_signaled_event_attributes") for event in events) == 2


async def test_an_account_that_waits_does_not_hold_up_a_mass_mail_on_another(world: World) -> None:
    await world.mails.change_limits("marketing", by="root", per_day=1)
    await world.contacts(5)
    await world.start("waits", due=None)
    await world.until("waits", MassMailState.WAITING_TO_CONTINUE)
    await world.start("goes", due=None, account="slow")
    assert (await world.mails.wait("goes")).state is MassMailState.FINISHED_AUTOMATICALLY


async def test_a_server_that_puts_off_for_a_day_gets_everybody_s_mail_once_in_the_end(
    world: World, server: SlowServer
) -> None:
    server.answers["rcpt"] = "451 4.3.0 come back later"
    await world.contacts(3)
    await world.start("patient", due=None, account="slow")
    status = await world.until("patient", MassMailState.WAITING_TO_CONTINUE)
    assert "3 deferred by their servers" in status.reason
    await world.environment.fast_forward(world.sending("patient"), timedelta(hours=24))
    assert server.accepted == []
    del server.answers["rcpt"]
    await world.environment.fast_forward(world.sending("patient"), timedelta(hours=6))
    await world.mails.wait("patient")
    assert server.recipients() == everybody(3)


async def test_a_provider_that_throttles_holds_up_its_own_recipients_alone(world: World, server: Gmail) -> None:
    domains = ["gmail.com", "example.org", "googlemail.com", "example.net", "gmail.com"]
    people = [a_contact(n, email=f"person{n}@{domain}") for n, domain in enumerate(domains, 1)]
    await world.services.contacts.save(people)
    await world.start("google", due=None, account="slow")
    status = await world.until("google", MassMailState.WAITING_TO_CONTINUE)
    assert "google wants less mail (421 4.7.28)" in status.reason
    assert {"person2@example.org", "person4@example.net"} <= set(server.recipients())
    assert not [address for address in server.recipients() if address.endswith("gmail.com")]
    server.busy = False
    await world.environment.fast_forward(world.sending("google"), timedelta(hours=2))
    await world.mails.wait("google")
    assert len(server.recipients()) == len(set(server.recipients())) == 5
