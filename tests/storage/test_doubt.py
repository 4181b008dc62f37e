"""Doubt ends by evidence, by a late answer or by somebody's word, and by nothing else."""

from datetime import timedelta

import pytest

from serienmail.domain.commands import Resolution
from serienmail.domain.delivery import HAND_OVER_LIMIT, Answer, Claimed, MailRef, Verdict, outcome
from serienmail.domain.errors import LedgerWentBack
from serienmail.domain.feedback import Feedback, Happening
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.feedback import FeedbackStore
from serienmail.storage.ledger import Ledger
from serienmail.storage.tracking import Tracking
from tests.builders import KEY, NOON, a_contact, a_job, a_person_opens, an_open_stage, claim, rows, states

LATER = NOON + timedelta(hours=1)


async def handed_over(ledger: Ledger, *verdicts: Verdict) -> list[Claimed]:
    """The next mails are handed over, with these answers."""
    claims = []
    for verdict in verdicts:
        claimed = await claim(ledger, a_job(), NOON)
        assert claimed is not None
        await ledger.record(outcome(claimed, Answer(verdict, "the server's words"), NOON))
        claims.append(claimed)
    return claims


async def in_doubt(database: Database, contacts: int) -> tuple[Ledger, list[Claimed]]:
    """A stage whose mails are all in doubt."""
    ledger = await an_open_stage(database, contacts)
    return ledger, await handed_over(ledger, *[Verdict.IN_DOUBT] * contacts)


async def test_under_hold_a_mail_in_doubt_is_never_sent_again(database: Database) -> None:
    ledger, _ = await in_doubt(database, 1)
    plan = await ledger.plan(KEY, None, LATER)
    assert (plan.slices, plan.wake_at) == ((), None)
    assert await claim(ledger, a_job(), LATER) is None


async def test_under_resend_it_is_sent_once_more_as_the_same_message_and_no_third_time(database: Database) -> None:
    ledger, (first,) = await in_doubt(database, 1)
    assert (await ledger.plan(KEY, None, LATER, resend=True)).slices
    (again,) = await handed_over(ledger, Verdict.IN_DOUBT)
    assert (again.message_id, again.dated_at, again.attempts) == (first.message_id, first.dated_at, 2)
    plan = await ledger.plan(KEY, None, LATER, resend=True)
    assert (plan.slices, plan.wake_at, plan.progress) == ((), None, {"unknown": 1})
    (row,) = await rows(database)
    assert (row.doubted, row.resent, row.attempts) == (True, True, 2)


async def test_what_nobody_recorded_was_in_doubt_also_if_it_is_due_once_more_at_that_moment(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    await claim(ledger, a_job(), NOON)
    assert (await ledger.plan(KEY, None, NOON + HAND_OVER_LIMIT, resend=True)).slices
    (row,) = await rows(database)
    assert (row.state, row.doubted, row.resent) == ("pending", True, True)


@pytest.mark.parametrize("verdict", [Verdict.REJECTED, Verdict.FAILED, Verdict.UNFILLED])
async def test_a_refused_second_try_leaves_the_first_in_doubt(database: Database, verdict: Verdict) -> None:
    ledger, _ = await in_doubt(database, 1)
    await ledger.plan(KEY, None, LATER, resend=True)
    await handed_over(ledger, verdict)
    assert await states(database) == ["unknown"]


async def test_a_late_acceptance_before_the_second_try_makes_it_needless(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    claimed = await claim(ledger, a_job(), NOON)
    assert claimed is not None
    assert (await ledger.plan(KEY, None, NOON + HAND_OVER_LIMIT, resend=True)).slices
    await ledger.record(outcome(claimed, Answer(Verdict.ACCEPTED), LATER))
    assert await states(database) == ["sent"]


async def test_who_changed_the_address_since_gets_no_second_try_elsewhere(database: Database) -> None:
    ledger, _ = await in_doubt(database, 2)
    await ContactStore(database).save([a_contact(1, email="new@example.org")])
    await ledger.plan(KEY, None, LATER, resend=True)
    claimed = await claim(ledger, a_job(), LATER)
    assert claimed is not None
    assert claimed.seq == 2
    assert await states(database) == ["unknown:address_changed", "handing_over"]
    assert (await rows(database))[0].address == "person1@example.org"


async def test_who_withdrew_consent_since_gets_no_second_try_and_stays_in_doubt(database: Database) -> None:
    ledger, _ = await in_doubt(database, 1)
    await ContactStore(database).save([a_contact(1, opt_in=False)])
    await ledger.plan(KEY, None, LATER, resend=True)
    assert await claim(ledger, a_job(), LATER) is None
    assert await states(database) == ["unknown:no_opt_in"]
    assert (await ledger.plan(KEY, None, LATER, resend=True)).slices == ()


@pytest.mark.parametrize("event", ["opened", "clicked", "bounced", "unsubscribed"])
async def test_evidence_that_came_while_the_mail_was_in_hand_is_found_at_settling(
    database: Database, event: str
) -> None:
    ledger = await an_open_stage(database, 1)
    await claim(ledger, a_job(), NOON)
    if event in ("opened", "clicked"):
        await a_person_opens(database, 1, NOON, link=int(event == "clicked"))
    elif event == "bounced":
        news = Feedback(id="1", kind=Happening.BOUNCED, at=NOON, mail=MailRef(1, 0, 1))
        await FeedbackStore(database, patience=3).record([news])
    else:
        await Tracking(database).unsubscribed(1, 0, 1, NOON)
    assert await states(database) == ["handing_over"]
    await ledger.plan(KEY, None, NOON + HAND_OVER_LIMIT, resend=True)
    assert await states(database) == ["sent"]


async def test_what_arrived_says_somebody_is_sent_and_remembers_the_doubt(database: Database) -> None:
    ledger, _ = await in_doubt(database, 3)
    assert await ledger.resolve(KEY, Resolution.SENT, [1, 3], LATER) == 2
    assert await states(database) == ["sent", "unknown", "sent"]
    assert [(row.doubted, row.finished_at) for row in await rows(database)] == [(True, NOON)] * 3


async def test_what_is_to_be_sent_again_is_due_as_often_as_somebody_says_so(database: Database) -> None:
    ledger, _ = await in_doubt(database, 2)
    for tries in (2, 3):
        assert await ledger.resolve(KEY, Resolution.RESEND, (), LATER) == 2
        claims = await handed_over(ledger, Verdict.IN_DOUBT, Verdict.IN_DOUBT)
        assert [claimed.attempts for claimed in claims] == [tries, tries]
    assert await states(database) == ["unknown", "unknown"]


@pytest.mark.parametrize("resolution", list(Resolution))
async def test_nothing_is_resolved_if_one_of_those_named_is_not_in_doubt(
    database: Database, resolution: Resolution
) -> None:
    ledger = await an_open_stage(database, 4)
    await handed_over(ledger, Verdict.IN_DOUBT, Verdict.ACCEPTED, Verdict.REJECTED)
    for others in (2, 3, 4, 99):
        assert await ledger.resolve(KEY, resolution, [1, others], LATER) == 0
    assert await states(database) == ["unknown", "sent", "rejected", "pending"]


@pytest.mark.parametrize("resolution", list(Resolution))
async def test_the_same_word_twice_has_the_same_answer(database: Database, resolution: Resolution) -> None:
    ledger, _ = await in_doubt(database, 2)
    assert [await ledger.resolve(KEY, resolution, [1, 2], LATER) for _ in range(2)] == [2, 2]


async def test_a_restored_database_that_forgot_mails_is_refused_and_nothing_is_written(database: Database) -> None:
    ledger = await an_open_stage(database, 4)
    await handed_over(ledger, Verdict.ACCEPTED, Verdict.IN_DOUBT, Verdict.REJECTED)
    await claim(ledger, a_job(), NOON)
    out = (await ledger.plan(KEY, None, NOON)).out
    assert out == 1
    async with database.write() as connection:
        await connection.exec_driver_sql("UPDATE delivery SET state = 'pending', token = NULL WHERE seq = 1")
    with pytest.raises(LedgerWentBack, match="shows 0 mails as sent, and showed 1 before"):
        await ledger.plan(KEY, None, LATER, out=out)
    assert await states(database) == ["pending", "unknown", "rejected", "handing_over"]


async def test_what_is_sent_again_or_looked_at_again_does_not_look_like_a_restored_database(
    database: Database,
) -> None:
    ledger = await an_open_stage(database, 4)
    await handed_over(ledger, Verdict.ACCEPTED, Verdict.IN_DOUBT, Verdict.REJECTED, Verdict.FAILED)
    out = (await ledger.plan(KEY, None, NOON)).out
    await ledger.resolve(KEY, Resolution.RESEND, (), NOON)
    await ledger.reopen(KEY, True)
    assert (await ledger.plan(KEY, None, LATER, out=out)).out == out
