"""Each rule of the ledger taken out in turn: where, and which test must fail then."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_STORAGE = "tests/storage/"
MACHINE = _STORAGE + "test_ledger_rules.py::test_whatever_happens_the_ledger_keeps_its_rules"


@dataclass(frozen=True, slots=True)
class Mutant:
    """rule: of docs/architecture.md's ledger. without: what is taken out, in words.

    text: stands once in the file, and becomes instead. test: must fail then. on: the database it is run on.
    """

    rule: str
    without: str
    file: str
    text: str
    instead: str
    test: str
    on: str = "sqlite"

    def applied_to(self, root: Path) -> str:
        """The file's content with the fault; ValueError if the text doesn't stand there once."""
        content = (root / self.file).read_text("utf-8")
        if content.count(self.text) != 1:
            raise ValueError(f"{self.file} has changed where {self.without!r} was built in; write that mutant anew.")
        return content.replace(self.text, self.instead)


MUTANTS = (
    Mutant(
        "claim", "the epoch isn't compared", "serienmail/storage/claiming.py",
        "and_(its_stage, stage.c.open, stage.c.epoch == wanted.c.epoch)", "and_(its_stage, stage.c.open)",
        MACHINE,
    ),
    Mutant(
        "claim", "the epoch isn't compared on PostgreSQL", "serienmail/storage/claiming.py",
        "and_(its_stage, open_stage.c.epoch == wanted.c.epoch)", "its_stage",
        MACHINE, on="postgresql",
    ),
    Mutant(
        "claim", "a closed stage isn't noticed", "serienmail/storage/claiming.py",
        "and_(its_stage, stage.c.open, stage.c.epoch == wanted.c.epoch)",
        "and_(its_stage, stage.c.epoch == wanted.c.epoch)",
        _STORAGE + "test_claiming.py::test_neither_an_older_epoch_nor_a_closed_stage_claims_anything",
    ),
    Mutant(
        "claim", "a closed stage isn't noticed on PostgreSQL", "serienmail/storage/claiming.py",
        ".where(stage.c.open, theirs)", ".where(theirs)",
        _STORAGE + "test_claiming.py::test_neither_an_older_epoch_nor_a_closed_stage_claims_anything", on="postgresql",
    ),
    Mutant(
        "claim", "the claim is rolled back instead of committed", "serienmail/storage/turns.py",
        "            answers = await self._claim(connection, gate, wanted) if wanted else {}\n",
        "            async with connection.begin_nested() as claims:\n"
        "                answers = await self._claim(connection, gate, wanted) if wanted else {}\n"
        "                await claims.rollback()\n",
        MACHINE,
    ),
    Mutant(
        "claim", "a mail in doubt follows its contact to a new address", "serienmail/storage/second_look.py",
        "    if row.doubted:\n        return Exclusion.ADDRESS_CHANGED\n", "",
        _STORAGE + "test_doubt.py::test_who_changed_the_address_since_gets_no_second_try_elsewhere",
    ),
    Mutant(
        "claim", "the index on the address isn't unique",
        "serienmail/storage/migrations/versions/0019_index_by_address.py",
        "unique=True,\n                    sqlite_where=sa.text(\"reason = ''\")",
        "unique=False,\n                    sqlite_where=sa.text(\"reason = ''\")",
        _STORAGE + "test_loading.py::test_the_database_itself_refuses_two_rows_of_a_stage_with_one_address",
    ),
    Mutant(
        "opt-out", "due rows aren't excluded in its transaction", "serienmail/storage/suppressions.py",
        "        await connection.execute(update(delivery).where(due).values(excluded))\n",
        "        await connection.execute(update(delivery).where(due, false()).values(excluded))\n",
        MACHINE,
    ),
    Mutant(
        "doubt", "settled after 0 minutes instead of 20", "serienmail/storage/doubt.py",
        "<= now - HAND_OVER_LIMIT)", "<= now - 0 * HAND_OVER_LIMIT)",
        MACHINE,
    ),
    Mutant(
        "doubt", "settling doesn't mark the row as doubted", "serienmail/storage/doubt.py",
        '"doubted": True, "finished_at": now', '"doubted": False, "finished_at": now',
        MACHINE,
    ),
    Mutant(
        "outcome", "the token isn't compared", "serienmail/storage/outcomes.py",
        "delivery.c.token == outcome.c.token, may_become", "may_become",
        _STORAGE + "test_ledger.py::test_a_reply_to_an_older_claim_changes_nothing",
    ),
    Mutant(
        "outcome", "a late *sent* isn't accepted", "serienmail/storage/outcomes.py",
        "and_(becomes == DeliveryState.SENT,", 'and_(becomes == "never",',
        _STORAGE + "test_ledger.py::test_a_late_acceptance_ends_the_doubt",
    ),
    Mutant(
        "outcome", "a second try in doubt may be called rejected", "serienmail/storage/outcomes.py",
        "and_(delivery.c.doubted, outcome.c.state", "and_(delivery.c.doubted.is_(None), outcome.c.state",
        _STORAGE + "test_doubt.py::test_a_refused_second_try_leaves_the_first_in_doubt",
    ),
    Mutant(
        "outcome", "an opt-out may call it excluded", "serienmail/storage/rows.py",
        "case((delivery.c.doubted, literal", "case((delivery.c.doubted.is_(None), literal",
        _STORAGE + "test_tracking.py::test_an_opt_out_calls_what_was_to_be_sent_again_in_doubt_and_not_excluded",
    ),
    Mutant(
        "word", "under *hold* it is sent again by itself", "serienmail/storage/planning.py",
        "undecided_since if resend else None", "undecided_since",
        _STORAGE + "test_doubt.py::test_under_hold_a_mail_in_doubt_is_never_sent_again",
    ),
    Mutant(
        "word", "under *resend* more than once", "serienmail/storage/doubt.py",
        "still, ~delivery.c.resent)", "still)",
        _STORAGE + "test_doubt.py::test_under_resend_it_is_sent_once_more_as_the_same_message_and_no_third_time",
    ),
    Mutant(
        "word", "*send again* reaches mails in doubt", "serienmail/storage/reopening.py",
        "in_(got_none), ~delivery.c.doubted)", "in_(got_none := [*got_none, DeliveryState.UNKNOWN]))",
        _STORAGE + "test_reopening.py::test_failed_and_rejected_mails_are_due_again_and_sent_or_doubtful_ones_never",
    ),
    Mutant(
        "same message", "a contact that changed between two tries isn't noted", "serienmail/storage/claiming.py",
        "delivery.c.data_of != imported_at", "delivery.c.data_of < delivery.c.data_of",
        _STORAGE + "test_claiming.py::test_a_row_says_whether_its_contact_s_data_changed_between_two_tries",
    ),
    Mutant(
        "end", "a stage may be over with mails in hand", "serienmail/storage/planning.py",
        "for state in (*OPEN_STATES, DeliveryState.HANDING_OVER))", "for state in OPEN_STATES)",
        _STORAGE + "test_ledger.py::test_a_stage_with_nothing_due_says_when_to_look_again_and_why",
    ),
)  # fmt: skip
