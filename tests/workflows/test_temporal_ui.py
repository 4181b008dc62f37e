"""What an operator reads in the Temporal UI: enough to understand, and nothing about anybody."""

from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter

from serienmail.domain.commands import Stop
from serienmail.domain.states import MassMailState
from tests.builders import a_contact
from tests.workflows.slow_server import SlowServer
from tests.world import OWNER, World, follow_up


async def summaries(workflow: WorkflowHandle[Any, Any]) -> list[str]:
    """The summaries of a workflow's activities and timers."""
    events = (await workflow.fetch_history()).events
    payloads = [event.user_metadata.summary for event in events if event.user_metadata.HasField("summary")]
    return await pydantic_data_converter.decode(payloads)


async def test_a_waiting_mass_mail_tells_its_name_state_stages_and_last_commands(world: World) -> None:
    await world.contacts(3)
    order = await world.start("waiting", follow_ups=(follow_up(7),))
    await world.until("waiting", MassMailState.SCHEDULED)
    await world.workflow("waiting").signal("stop", Stop(by="somebody"))
    await world.mails.stop("waiting", by=OWNER)
    await world.until("waiting", MassMailState.STOPPED)
    await world.mails.restart("waiting", by=OWNER)
    await world.until("waiting", MassMailState.SCHEDULED)
    details = await world.details(world.workflow("waiting"))
    due = f"{order.due:%Y-%m-%d %H:%M UTC}"
    assert "**Autumn**: **scheduled**" in details
    assert f"- **mass mail** to everybody selected: **waiting**, due {due}" in details
    assert "- **follow-up 1** to those who received the mass mail: **waiting**, due 7 days after the end" in details
    assert f"created by {OWNER}, account marketing, revision 1" in details
    assert f"restart by {OWNER}" in details
    assert "stop by somebody: Only" in details
    description = await world.workflow("waiting").describe()
    assert await description.static_summary() == "Autumn"
    told = await summaries(world.workflow("waiting"))
    assert {"reads the recipients", "scheduled", f"mass mail is due {due}"} <= set(told)


async def test_a_delivery_tells_how_far_it_is_and_each_activity_which_recipient(
    world: World, server: SlowServer
) -> None:
    await world.services.contacts.save([a_contact(n, last_name="Quetzal") for n in range(1, 8)])
    await world.start("delivery", due=None, account="slow")
    await server.until_in_hand(5)
    delivery = world.sending("delivery")
    assert "**0 of 7 handed over**" in await world.details(delivery)
    assert await (await delivery.describe()).static_summary() == "Autumn: mass mail"
    assert "**sending**, 0 of 7 handed over" in await world.details(world.workflow("delivery"))
    server.go_on()
    await world.mails.wait("delivery")
    details = await world.details(delivery)
    assert "- sent: 7" in details
    told = await summaries(delivery)
    assert [f"recipient {n}" in told for n in range(1, 8)] == [True] * 7
    assert not any(word in f"{details}{told}" for word in ("Quetzal", "example.org"))


async def test_a_delivery_that_waits_tells_until_when_and_why(world: World, server: SlowServer) -> None:
    server.go_on()
    server.answers["rcpt"] = "451 4.7.1 greylisted"
    await world.contacts(2)
    await world.start("put-off", due=None, account="slow")
    status = await world.until("put-off", MassMailState.WAITING_TO_CONTINUE)
    assert status.reason in await world.details(world.workflow("put-off"))
    assert "2 deferred by their servers" in await world.details(world.sending("put-off"))
    assert "2 deferred by their servers" in await summaries(world.sending("put-off"))
