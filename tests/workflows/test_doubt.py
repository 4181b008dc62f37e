"""Mails in doubt: held, sent once more, or settled by somebody's word; and a database that forgot some."""

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import update
from temporalio.service import RPCError

from serienmail.domain.commands import Resolution, Resolve, SendAgain
from serienmail.domain.errors import CommandRefused
from serienmail.domain.mass_mail import InDoubt
from serienmail.domain.states import MassMailState
from serienmail.domain.status import Status
from serienmail.storage.tables import delivery
from tests.builders import a_contact
from tests.mailing.smtp_server import HANG_UP
from tests.workflows.slow_server import SlowServer
from tests.world import DAY, OWNER, World, everybody, follow_up


async def in_doubt(world: World, server: SlowServer, mass_mail_id: str, **fields: object) -> None:
    """A mass mail to three, all in doubt; then the server answers."""
    server.go_on()
    server.answers["dot"] = HANG_UP
    await world.contacts(3)
    await world.start(mass_mail_id, due=None, account="slow", **fields)
    await world.until(mass_mail_id, MassMailState.INCOMPLETE_WITH_ERRORS, MassMailState.FOLLOWING_UP)
    assert await world.states(mass_mail_id) == [{"unknown": 3}, *[{}] * (1 if fields.get("follow_ups") else 0)]
    del server.answers["dot"]


async def until_refused(world: World, mass_mail_id: str, says: str) -> None:
    """Wait, in real time, until the workflow has told why it refused something, and is at its end again."""
    async with asyncio.timeout(30):
        while True:
            status = (await world.mails.status(mass_mail_id)).status
            if says in status.last_refusal and status.state is MassMailState.INCOMPLETE_WITH_ERRORS:
                return
            await asyncio.sleep(0.05)


async def until_through(world: World, mass_mail_id: str, epoch: int) -> None:
    """Wait until this start of sending has ended, and its mass mail knows."""
    async with asyncio.timeout(30):
        while True:
            with suppress(RPCError):  # it isn't started yet
                await world.sending(mass_mail_id, epoch=epoch).result()
                said = await world.workflow(mass_mail_id).query("status", result_type=Status)
                if said.state is MassMailState.INCOMPLETE_WITH_ERRORS:
                    return
            await asyncio.sleep(0.05)


async def test_held_until_somebody_says_that_they_arrived(world: World, server: SlowServer) -> None:
    await in_doubt(world, server, "arrived")
    with pytest.raises(CommandRefused, match="99 isn't in doubt in stage 0"):
        await world.mails.resolve("arrived", OWNER, Resolution.SENT, contacts=["1", "99"])
    await world.mails.resolve("arrived", OWNER, Resolution.SENT, contacts=["2"])
    await world.until_states("arrived", {"sent": 1, "unknown": 2})
    await world.mails.resolve("arrived", "root", Resolution.SENT)
    assert (await world.mails.wait("arrived")).state is MassMailState.FINISHED_AUTOMATICALLY
    assert await world.states("arrived") == [{"sent": 3}]
    assert server.accepted == []
    with pytest.raises(CommandRefused, match="Nobody in stage 0 is in doubt"):
        await world.mails.resolve("arrived", OWNER, Resolution.SENT)


async def test_sent_again_on_somebodys_word_while_a_follow_up_waits(world: World, server: SlowServer) -> None:
    await in_doubt(world, server, "again", follow_ups=(follow_up(2),))
    await world.mails.resolve("again", OWNER, Resolution.RESEND, contacts=["1", "3"])
    await world.until_states("again", {"sent": 2, "unknown": 1}, {})
    await world.until("again", MassMailState.FOLLOWING_UP)
    await world.skip("again", 3 * DAY)
    await world.until("again", MassMailState.INCOMPLETE_WITH_ERRORS)
    assert await world.states("again") == [{"sent": 2, "unknown": 1}, {"sent": 2}]


async def test_a_word_about_somebody_who_is_not_in_doubt_changes_nothing_and_is_told(
    world: World, server: SlowServer
) -> None:
    await in_doubt(world, server, "nobody")
    word = {"by": OWNER, "outcome": "sent", "recipients": [1, 99]}
    await world.workflow("nobody").signal("resolve", word)
    await until_refused(world, "nobody", "not all of these are in doubt")
    assert await world.states("nobody") == [{"unknown": 3}]


async def test_an_order_may_say_that_what_is_in_doubt_is_sent_once_more(world: World, server: SlowServer) -> None:
    server.go_on()
    server.answers["dot"] = HANG_UP
    await world.contacts(2)
    await world.start("twice", due=None, account="slow", in_doubt=InDoubt.RESEND)
    status = await world.until("twice", MassMailState.INCOMPLETE_WITH_ERRORS)
    assert (status.reason, server.commands.count("dot")) == ("2 in doubt", 4)


async def test_a_restored_database_stops_the_stage_until_somebody_accepts_it(world: World, server: SlowServer) -> None:
    await in_doubt(world, server, "restored")
    await world.mails.resolve("restored", OWNER, Resolution.SENT, contacts=["1", "2"])
    await world.until_states("restored", {"sent": 2, "unknown": 1})
    server.answers["dot"] = HANG_UP
    await world.mails.resolve("restored", OWNER, Resolution.RESEND)
    await until_through(world, "restored", epoch=2)
    del server.answers["dot"]
    async with world.services.database.write() as connection:
        older = {"state": "pending", "doubted": False, "token": None}
        await connection.execute(update(delivery).where(delivery.c.seq < 3).values(older))
    await world.mails.resolve("restored", OWNER, Resolution.RESEND, contacts=["3"])
    status = await world.until("restored", MassMailState.STOPPED)
    assert "the ledger shows 0 mails as sent, and showed 2 before" in status.reason
    assert server.accepted == []
    await world.mails.restart("restored", by=OWNER)
    assert (await world.mails.wait("restored")).state is MassMailState.FINISHED_AUTOMATICALLY
    assert server.recipients() == everybody(3)


async def a_follow_up_in_doubt(world: World, server: SlowServer, mass_mail_id: str) -> None:
    """Two have got the mass mail, and whether they got its follow-up nobody knows; a third may have it only now."""
    server.go_on()
    await world.services.contacts.save([a_contact(1), a_contact(2), a_contact(3, opt_in=False)])
    await world.start(mass_mail_id, due=None, account="slow", follow_ups=(follow_up(1),))
    await world.until(mass_mail_id, MassMailState.FOLLOWING_UP)
    server.answers["dot"] = HANG_UP
    await world.skip(mass_mail_id, DAY)
    await world.until(mass_mail_id, MassMailState.INCOMPLETE_WITH_ERRORS)
    assert await world.states(mass_mail_id) == [{"sent": 2, "excluded": 1}, {"unknown": 2}]
    del server.answers["dot"]
    await world.services.contacts.save([a_contact(3)])


async def test_a_follow_up_is_sent_again_on_somebodys_word_by_one_start_alone(world: World, server: SlowServer) -> None:
    await a_follow_up_in_doubt(world, server, "word")
    await world.mails.resolve("word", OWNER, Resolution.RESEND, stage=1)
    await world.until("word", MassMailState.INCOMPLETE)
    assert await world.states("word") == [{"sent": 2, "excluded": 1}, {"sent": 2}]
    with pytest.raises(RPCError, match="not found"):
        await world.delivery_of_follow_up("word", 1, epoch=4).describe()


async def test_a_word_about_a_follow_up_given_while_the_mass_mail_is_sent_again_is_kept(
    world: World, server: SlowServer
) -> None:
    await a_follow_up_in_doubt(world, server, "both")
    await world.rest()  # so that both commands meet in one step of the workflow
    workflow = world.workflow("both")
    await workflow.signal("send_again", SendAgain(by=OWNER))
    await workflow.signal("resolve", Resolve(by=OWNER, outcome=Resolution.RESEND, stage=1))
    await world.work()
    assert (await world.mails.wait("both")).state is MassMailState.FINISHED_AUTOMATICALLY
    assert await world.states("both") == [{"sent": 3}, {"sent": 2}]
