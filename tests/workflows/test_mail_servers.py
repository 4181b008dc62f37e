"""Mail servers that are away, put off, or refuse the account: the mass mail waits or stops, and nobody is lost."""

from datetime import timedelta

import pytest

from serienmail.domain.states import MassMailState
from tests.workflows.slow_server import SlowServer
from tests.world import OWNER, World, everybody


@pytest.fixture(autouse=True)
def answers_at_once(server: SlowServer) -> None:
    server.go_on()


async def test_while_the_mail_server_is_down_it_says_so_and_then_everybody_gets_it_once(
    world: World, server: SlowServer
) -> None:
    server.answers["connect"] = "421 4.3.2 shutting down"
    await world.contacts(3)
    await world.start("down", due=None, account="slow")
    await world.until("down", MassMailState.SENDING)
    await world.environment.fast_forward(world.sending("down"), timedelta(minutes=1))
    status = await world.until("down", MassMailState.WAITING_TO_CONTINUE)
    assert "the mail server takes no connection now (421); it will be tried again." in status.reason
    del server.answers["connect"]
    await world.environment.fast_forward(world.sending("down"), timedelta(minutes=6))
    await world.mails.wait("down")
    assert server.recipients() == everybody(3)


async def test_who_is_put_off_is_tried_again_later(world: World, server: SlowServer) -> None:
    server.answers["rcpt"] = "451 4.7.1 greylisted"
    await world.contacts(3)
    await world.start("greylisted", due=None, account="slow")
    status = await world.until("greylisted", MassMailState.WAITING_TO_CONTINUE)
    assert status.reason.endswith("3 deferred by their servers")
    assert await world.states("greylisted") == [{"deferred": 3}]
    del server.answers["rcpt"]
    await world.environment.fast_forward(world.sending("greylisted"), timedelta(minutes=7))
    assert (await world.mails.wait("greylisted")).state is MassMailState.FINISHED_AUTOMATICALLY
    assert server.recipients() == everybody(3)


async def test_stopped_while_it_waits_to_continue_it_stops_at_once(world: World, server: SlowServer) -> None:
    server.answers["rcpt"] = "451 4.7.1 greylisted"
    await world.contacts(3)
    await world.start("waiting", due=None, account="slow")
    await world.until("waiting", MassMailState.WAITING_TO_CONTINUE)
    await world.mails.stop("waiting", by=OWNER)
    await world.until("waiting", MassMailState.STOPPED)
    del server.answers["rcpt"]
    await world.skip("waiting", timedelta(minutes=7))
    assert server.accepted == []
    await world.mails.restart("waiting", by=OWNER)
    await world.mails.wait("waiting")
    assert server.recipients() == everybody(3)


async def test_a_refused_account_stops_it_with_the_reason_and_a_restart_goes_on(
    world: World, server: SlowServer
) -> None:
    server.answers["mail"] = "535 5.7.8 wrong password"
    await world.contacts(3)
    await world.start("refused", due=None, account="slow")
    status = await world.until("refused", MassMailState.STOPPED)
    assert status.reason == "the mail server refused the sender (535 at mail); check the account."
    assert await world.states("refused") == [{"pending": 3}]
    del server.answers["mail"]
    await world.mails.restart("refused", by=OWNER)
    await world.mails.wait("refused")
    assert server.recipients() == everybody(3)
