"""What recipients set off runs as a workflow each, once, whatever dies on the way."""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from temporalio.client import Client, WorkflowFailureError
from temporalio.testing import WorkflowEnvironment

from serienmail.domain.activity import NewCall, NewTask
from serienmail.domain.delivery import MailRef
from serienmail.domain.errors import InvalidOrder
from serienmail.domain.feedback import Feedback, Happening, Severity
from serienmail.domain.states import MassMailState
from serienmail.domain.template import Template, TemplateRef
from serienmail.domain.trigger import CarriedOut, FieldUpdate, On, Trigger, Triggered
from serienmail.mailing.hooks import Hook
from serienmail.storage.crm_tables import activity
from serienmail.storage.database import Database
from serienmail.storage.measured_links import MeasuredLinkStore
from serienmail.storage.triggers import TriggerStore
from starter.triggering import Triggering
from tests.mailing.test_hooks import OtherSystem, other_system
from tests.world import DAY, World, follow_up, world_on
from workflows.names import trigger_workflow_id

OFFER = "https://www.example.org/offer"
LINKED = Template("linked", "Autumn", html=f'<p>{{{{ salutation }}}} <a href="{OFFER}">offer</a> '
                                           '<a href="https://www.example.org/">home</a></p>')  # fmt: skip
TASK = Trigger(on=On.OPENED, tasks=(NewTask(subject="Write to them"),))
CALL = Trigger(on=On.CLICKED, link=OFFER, calls=(NewCall(subject="Call them"),), hook="crm")
BACK = Trigger(on=On.BOUNCED, updates=(FieldUpdate("city", "unknown"),))


@pytest.fixture
async def system() -> AsyncIterator[OtherSystem]:
    """What the hook ``crm`` tells."""
    async with other_system() as system:
        yield system


@pytest.fixture
async def world(
    temporal: WorkflowEnvironment, system: OtherSystem, database: Database, tmp_path: Path
) -> AsyncIterator[World]:
    """An installation with a hook, on each database in turn."""
    secret = SecretStr(f"whsec_{base64.b64encode(b'k' * 32).decode()}")
    hooks = {"crm": Hook(url=system.url, secret=secret)}
    async with world_on(temporal, tmp_path, database.url, hooks=hooks) as world:
        yield world


async def sent(world: World, *triggers: Trigger, **fields: object) -> str:
    """A mass mail to three people, all of whom got it; its id."""
    await world.contacts(3)
    await world.services.templates.add(LINKED, datetime.now(UTC))
    name = f"autumn-{uuid4().hex[:8]}"  # Temporal never starts a trigger's id again
    await world.start(name, template="linked", due=None, triggers=triggers, **fields)
    await world.until(name, MassMailState.FINISHED_AUTOMATICALLY, MassMailState.FOLLOWING_UP)
    return name


async def ran(world: World, set_off: Triggered) -> CarriedOut:
    """The result of its workflow."""
    handle = world.mails.temporal.get_workflow_handle(trigger_workflow_id(set_off), result_type=CarriedOut)
    async with asyncio.timeout(30):
        return await handle.result()  # type: ignore[no-any-return]  # its type is given two lines above


async def subjects(world: World) -> Sequence[tuple[int, str, str]]:
    """Whose activities there are: contact, kind, subject."""
    async with world.services.database.read() as connection:
        rows = await connection.execute(select(activity).order_by(activity.c.contact_id, activity.c.kind))
        return [(row.contact_id, row.kind, row.subject) for row in rows]


async def offer_link(world: World, name: str) -> int:
    """The id of the link to the offer."""
    order = (await world.services.mass_mails.get(name)).order
    ids = await MeasuredLinkStore(world.services.database).ids(TemplateRef.parse(order.template), [OFFER])
    return ids[OFFER]


async def test_an_open_creates_a_task_and_a_click_on_the_link_a_call_and_tells_the_hook(
    world: World, system: OtherSystem
) -> None:
    name = await sent(world, TASK, CALL)
    await world.opened(1)
    await world.opened(2, link=await offer_link(world, name))
    await world.triggered()
    assert await ran(world, Triggered(name, 0, 1, "opened")) == CarriedOut(tasks=1)
    assert await ran(world, Triggered(name, 0, 2, "opened")) == CarriedOut(tasks=1)
    assert await ran(world, Triggered(name, 0, 2, CALL.key)) == CarriedOut(calls=1, tells=True)
    written = [(1, "task", "Write to them"), (2, "call", "Call them"), (2, "task", "Write to them")]
    assert await subjects(world) == written
    assert [headers["webhook-id"] for headers in system.headers] == [f"{name}/0/2/{CALL.key}"]
    assert b"offer" in system.bodies[0]


async def test_a_bounce_updates_a_field(world: World) -> None:
    name = await sent(world, BACK)
    news = Feedback(id="a", kind=Happening.BOUNCED, at=datetime.now(UTC), mail=MailRef(1, 0, 3), severity=Severity.SOFT)
    await world.services.feedback.record([news])
    await world.triggered()
    assert await ran(world, Triggered(name, 0, 3, "bounced")) == CarriedOut(updates=1)
    person = await world.services.contacts.find("3")
    assert person is not None
    assert person["city"] == "unknown"


async def test_a_follow_up_has_triggers_of_its_own(world: World) -> None:
    name = await sent(world, follow_ups=(follow_up(1, triggers=(TASK,)),))
    await world.opened(1)
    await world.skip(name, DAY)
    await world.mails.wait(name)
    await world.opened(2, stage=1)
    await world.triggered()
    assert await ran(world, Triggered(name, 1, 2, "opened")) == CarriedOut(tasks=1)
    assert await subjects(world) == [(2, "task", "Write to them")]


async def test_nothing_is_lost_or_doubled_if_the_process_ends_between_starting_and_saying_so(world: World) -> None:
    name = await sent(world, TASK)
    await world.opened(1, 2, 3)
    await world.services.visits.judge(datetime.now(UTC) + DAY)
    store = DiesBeforeMarking(world.services.database)
    with pytest.raises(ConnectionError):
        await Triggering(world.mails.temporal, store).start_some()
    assert await Triggering(world.mails.temporal, store).start_some() == 3
    assert await Triggering(world.mails.temporal, store).start_some() == 0
    for seq in (1, 2, 3):
        await ran(world, Triggered(name, 0, seq, "opened"))
    assert await subjects(world) == [(seq, "task", "Write to them") for seq in (1, 2, 3)]
    handle = world.mails.temporal.get_workflow_handle(trigger_workflow_id(Triggered(name, 0, 1, "opened")))
    started = [event async for event in handle.fetch_history_events()]
    assert len([event for event in started if event.HasField("activity_task_scheduled_event_attributes")]) == 1


async def test_what_temporal_does_not_take_waits_in_the_database(world: World) -> None:
    name = await sent(world, TASK)
    await world.opened(1)
    await world.services.visits.judge(datetime.now(UTC) + DAY)
    away = await Client.connect("127.0.0.1:9", lazy=True)
    with pytest.raises(RuntimeError, match="client connect"):
        await Triggering(away, world.services.triggers).start_some()
    assert await world.services.triggers.not_started(10) == [Triggered(name, 0, 1, "opened")]


async def test_a_hook_that_refuses_fails_in_the_open_and_the_call_is_there(world: World, system: OtherSystem) -> None:
    system.answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    name = await sent(world, CALL)
    await world.opened(2, link=await offer_link(world, name))
    await world.triggered()
    with pytest.raises(WorkflowFailureError) as failed:
        await ran(world, Triggered(name, 0, 2, CALL.key))
    assert "answered 404" in str(failed.value.cause.__cause__)
    assert await subjects(world) == [(2, "call", "Call them")]


async def test_a_trigger_s_history_has_no_address_and_no_name(world: World) -> None:
    name = await sent(world, CALL, BACK)
    await world.opened(2, link=await offer_link(world, name))
    await world.triggered()
    await ran(world, Triggered(name, 0, 2, CALL.key))
    handle = world.mails.temporal.get_workflow_handle(trigger_workflow_id(Triggered(name, 0, 2, CALL.key)))
    payloads: list[Any] = [payload async for payload in handle.fetch_history_events()]
    text = " ".join(map(str, payloads))
    assert not [trace for trace in ("person2", "Person2", "@example.org", "https") if trace in text]


@pytest.mark.parametrize(
    ("trigger", "says"),
    [
        (Trigger(on=On.CLICKED, link="https://www.example.org/nowhere", hook="crm"), "it has https://www.example.org/off"),
        (Trigger(on=On.OPENED, hook="erp"), "no hook 'erp' in the settings; choose one of crm"),
        (Trigger(on=On.OPENED, updates=(FieldUpdate("shoe_size", 43),)), "no field 'shoe_size'"),
        (Trigger(on=On.OPENED), "does nothing"),
    ],
)
async def test_an_order_with_a_trigger_that_can_never_run_is_refused(world: World, trigger: Trigger, says: str) -> None:
    await world.contacts(1)
    await world.services.templates.add(LINKED, datetime.now(UTC))
    with pytest.raises(InvalidOrder, match=says):
        await world.start("autumn", template="linked", triggers=(trigger,))
    with pytest.raises(InvalidOrder, match=says):
        await world.start("autumn", follow_ups=(follow_up(1, template="linked", triggers=(trigger,)),))


class DiesBeforeMarking(TriggerStore):
    """A process that ends, once, when Temporal has taken what it started."""

    died = False

    async def mark_started(self, started: Sequence[Triggered], now: datetime) -> None:
        if not self.died:
            self.died = True
            raise ConnectionError("gone")
        await super().mark_started(started, now)
