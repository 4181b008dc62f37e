"""Send again reaches those who got none and may be mailed now, and nobody who did or might have."""

from sqlalchemy import insert, update

from serienmail.domain.delivery import Answer, StageKey, Verdict, outcome
from serienmail.domain.exclusion import Exclusion
from serienmail.domain.mass_mail import Audience
from serienmail.storage.contacts import ContactStore
from serienmail.storage.database import Database
from serienmail.storage.ledger import Ledger
from serienmail.storage.loading import RecipientStore
from serienmail.storage.tables import delivery, suppression
from serienmail.storage.tracking import Tracking
from tests.builders import (
    KEY,
    NOON,
    a_contact,
    a_job,
    a_ledger,
    a_load,
    a_person_opens,
    an_open_stage,
    claim,
    rows,
    states,
)


async def answered(ledger: Ledger, *verdicts: Verdict) -> None:
    """The next mails are handed over, with these answers."""
    for verdict in verdicts:
        claimed = await claim(ledger, a_job(), NOON)
        assert claimed is not None
        await ledger.record(outcome(claimed, Answer(verdict, "the server's words"), NOON))


async def test_failed_and_rejected_mails_are_due_again_and_sent_or_doubtful_ones_never(database: Database) -> None:
    ledger = await an_open_stage(database, 4)
    await answered(ledger, Verdict.ACCEPTED, Verdict.FAILED, Verdict.REJECTED, Verdict.IN_DOUBT)
    assert await ledger.reopen(KEY, True) == 2
    assert await states(database) == ["sent", "pending", "pending", "unknown"]
    again = (await rows(database))[1]
    assert (again.attempts, again.next_try_at, again.finished_at) == (0, None, None)
    assert await ledger.reopen(KEY, True) == 0


async def test_excluded_recipients_are_looked_at_with_their_consent_and_address_of_now(database: Database) -> None:
    contacts = [a_contact(1, opt_in=False), a_contact(2, email=""), a_contact(3, email="x"), a_contact(4, opt_in=False)]
    ledger = await an_open_stage(database, contacts)
    assert await ledger.reopen(KEY, True) == 0
    await ContactStore(database).save([a_contact(number) for number in (1, 2, 3)])
    assert await ledger.reopen(KEY, True) == 3
    assert await states(database) == ["pending"] * 3 + ["excluded:no_opt_in"]
    assert [row.address for row in await rows(database)][1] == "person2@example.org"
    assert await ledger.reopen(KEY, False) == 1


async def test_who_opted_out_or_is_suppressed_stays_excluded(database: Database) -> None:
    ledger = await an_open_stage(database, 2)
    await Tracking(database).unsubscribed(1, 0, 1, NOON)
    await answered(ledger, Verdict.REJECTED)
    row = {"address_key": "person2@example.org", "reason": "bounced", "since": NOON, "source": ""}
    async with database.write() as connection:
        await connection.execute(insert(suppression).values(row))
    assert await ledger.reopen(KEY, False) == 0
    assert await states(database) == ["excluded:unsubscribed", "rejected"]


async def test_of_a_follow_up_only_those_are_due_again_who_still_belong_to_its_audience(database: Database) -> None:
    ledger, follow_up = await an_open_stage(database, 3), StageKey("autumn", 1)
    await answered(ledger, *[Verdict.ACCEPTED] * 3)
    await RecipientStore(database).load(a_load(follow_up, audience=Audience.NOT_OPENED), NOON)
    failed = update(delivery).where(delivery.c.stage == 1).values(state="failed")
    replied = update(delivery).where(delivery.c.stage == 0, delivery.c.seq == 2).values(replied_at=NOON)
    async with database.write() as connection:
        for change in (failed, replied):
            await connection.execute(change)
    await a_person_opens(database, 1, NOON)
    assert await ledger.reopen(follow_up, True, audience=Audience.NOT_OPENED, without_replied=True) == 1
    assert await states(database, follow_up) == ["failed", "failed", "pending"]
    assert await ledger.reopen(follow_up, True, audience=Audience.NOT_OPENED) == 1


async def test_of_several_rows_with_one_address_one_is_due_again(database: Database) -> None:
    same = "same@example.org"
    ledger = await an_open_stage(database, [a_contact(number, email=same) for number in (1, 2, 3)])
    await answered(ledger, Verdict.FAILED)
    assert await ledger.reopen(KEY, True) == 1
    assert await states(database) == ["pending", "excluded:duplicate", "excluded:duplicate"]


async def test_an_address_that_got_its_mail_through_another_row_gets_no_second_one(database: Database) -> None:
    ledger = await an_open_stage(database, [a_contact(1), a_contact(2, opt_in=False)])
    await answered(ledger, Verdict.ACCEPTED)
    await ContactStore(database).save([a_contact(2, email="PERSON1@example.org")])
    assert await ledger.reopen(KEY, True) == 0
    assert await states(database) == ["sent", "excluded:no_opt_in"]


async def test_two_who_came_to_one_address_since_get_one_mail(database: Database) -> None:
    ledger = await an_open_stage(database, [a_contact(1, opt_in=False), a_contact(2, opt_in=False)])
    await ContactStore(database).save([a_contact(number, email="same@example.org") for number in (1, 2)])
    assert await ledger.reopen(KEY, True) == 1
    assert await states(database) == ["pending", "excluded:no_opt_in"]


async def test_what_the_author_left_out_stays_out(database: Database) -> None:
    ledger = await an_open_stage(database, 3)
    recipients = RecipientStore(database)
    await recipients.exclude(KEY, [1], Exclusion.REMOVED_BY_HAND)
    await recipients.exclude(KEY, [2], Exclusion.IGNORED)
    await recipients.exclude(KEY, [3], Exclusion.PLACEHOLDER_MISSING)
    assert await ledger.reopen(KEY, True) == 1
    assert await states(database) == ["excluded:removed_by_hand", "excluded:ignored", "pending"]


async def test_who_was_over_the_limit_has_a_turn_and_no_more_at_once_than_the_limit(database: Database) -> None:
    ledger = await an_open_stage(database, 5)
    await RecipientStore(database, limit=2).limit(KEY)
    await answered(ledger, Verdict.ACCEPTED, Verdict.FAILED)
    again = a_ledger(database, most_recipients=2)
    assert await again.reopen(KEY, True) == 2
    assert await states(database) == ["sent", "pending", "pending", "excluded:over_limit", "excluded:over_limit"]
    await answered(ledger, Verdict.ACCEPTED, Verdict.ACCEPTED)
    assert await again.reopen(KEY, True) == 2
    assert await states(database) == ["sent", "sent", "sent", "pending", "pending"]


async def test_a_row_ever_in_doubt_is_never_due_again_whatever_its_state(database: Database) -> None:
    ledger = await an_open_stage(database, 1)
    async with database.write() as connection:
        await connection.execute(update(delivery).values(state="failed", doubted=True))
    assert await ledger.reopen(KEY, True) == 0


async def test_another_stage_is_left_alone(database: Database) -> None:
    ledger = await an_open_stage(database, [a_contact(1, opt_in=False)])
    await ContactStore(database).save([a_contact(1)])
    winter = StageKey("winter", 0)
    await RecipientStore(database).load(a_load(winter), NOON)
    assert await ledger.reopen(winter, True) == 0
    assert await states(database) == ["excluded:no_opt_in"]
