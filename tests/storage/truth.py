"""What really happened to each mail, kept beside the ledger, and what the ledger must never contradict."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from serienmail.domain.delivery import CLAIM_TO_DOT, Claimed, Verdict
from serienmail.domain.exclusion import Exclusion
from serienmail.storage.slices import Slice

NEVER_IN_DOUBT = ("excluded", "cancelled", "rejected", "failed")
"""States that say: it did not arrive."""
OPEN = ("pending", "deferred", "handing_over")


@dataclass(eq=False)
class Hand:
    """A mail in a process's hands. dot: the final dot is written, and this is what the server made of it."""

    claimed: Claimed
    epoch: int
    slice: Slice
    at: datetime
    dot: Verdict | None = None

    def may_write(self, now: datetime) -> bool:
        """Its process looks at the clock just before the dot."""
        return self.dot is None and now - self.at <= CLAIM_TO_DOT


@dataclass
class Person:
    """A contact as the CRM has it."""

    address: str
    opt_in: bool = True
    gone: bool = False


@dataclass
class Truth:
    """resends: the order's policy. inbox: what servers accepted, as (seq, address).

    perhaps: hand-overs by seq that may have arrived. words: how often somebody said "resend". dates: of the message
    that went out first. sent, doubted: seqs that the ledger ever called so. refused: addresses that get no mass mail.
    unfilled: seqs for whom a mail could not be built, since a placeholder was empty.
    before: the rows when they were checked last.
    """

    people: dict[int, Person]
    resends: bool = False
    inbox: list[tuple[int, str]] = field(default_factory=list)
    perhaps: Counter[int] = field(default_factory=Counter)
    words: Counter[int] = field(default_factory=Counter)
    dates: dict[int, datetime] = field(default_factory=dict)
    sent: set[int] = field(default_factory=set)
    doubted: set[int] = field(default_factory=set)
    before: Sequence[Any] = ()
    refused: set[str] = field(default_factory=set)
    unfilled: set[int] = field(default_factory=set)

    def dot(self, hand: Hand, verdict: Verdict, arrived: bool = False) -> None:
        """The final dot is written. arrived: what only the server knows if its answer is never seen."""
        claimed, hand.dot = hand.claimed, verdict
        first = self.dates.setdefault(claimed.seq, claimed.dated_at)
        assert claimed.dated_at == first, "a mail that is sent again has another Date"
        if verdict is Verdict.UNFILLED:
            self.unfilled.add(claimed.seq)
        if verdict in (Verdict.ACCEPTED, Verdict.IN_DOUBT):
            self.perhaps[claimed.seq] += 1
            if verdict is Verdict.ACCEPTED or arrived:
                self.inbox.append((claimed.seq, claimed.address))

    def check_claim(self, claimed: Claimed, others: Collection[Hand], now: datetime) -> None:
        """Whether this mail may be begun, whatever the ledger thinks."""
        seq, person = claimed.seq, self.people[claimed.seq]
        assert seq not in self.sent, "what was sent is claimed again"
        assert self.perhaps[seq] <= self.resends + self.words[seq], "a mail in doubt is claimed without a word"
        same = [other for other in others if other.claimed.seq == seq and other.may_write(now)]
        assert not same, "two processes may write the same mail"
        assert not person.gone and person.opt_in, "somebody without consent is mailed"
        assert claimed.address == person.address, "the mail goes to an address that isn't the contact's any more"
        assert claimed.address not in self.refused, "an address that opted out is mailed"
        assert claimed.message_id == f"<1.0.{seq}@main>", "a mail that is sent again has another Message-ID"

    def check(self, rows: Sequence[Any]) -> None:
        """The rows of the stage, at any moment."""
        assert [row.seq for row in rows] == sorted(self.people), "a recipient is lost"
        self._check_inbox(rows)
        for row in rows:
            self._check_row(row, rows)
        self.sent |= {row.seq for row in rows if row.state == "sent"}
        self.doubted |= {row.seq for row in rows if row.state == "unknown" or row.doubted}
        self.before = rows

    def _check_inbox(self, rows: Sequence[Any]) -> None:
        for address, mails in Counter(address for _, address in self.inbox).items():
            words = sum(self.resends + self.words[seq] for seq in {s for s, a in self.inbox if a == address})
            assert mails <= 1 + words, "an address got the stage twice, and nobody had said so"
        keys = [row.address_key for row in rows if row.state != "excluded"]
        assert len(keys) == len(set(keys)), "an address has two rows"

    def _check_row(self, row: Any, rows: Sequence[Any]) -> None:
        arrived = any(seq == row.seq for seq, _ in self.inbox)
        if row.seq in self.sent:
            assert row.state == "sent", "what was sent is not sent any more"
        if row.seq in self.doubted:
            assert row.doubted, "a doubt is forgotten"
        if row.doubted:  # also since this step, which may have begun the doubt and made the row due once more
            assert row.state not in NEVER_IN_DOUBT, "a mail that may have arrived is called otherwise"
        elif row.state == "sent":
            assert arrived, "a mail is called sent, and nobody has it"
        elif row.state in (*NEVER_IN_DOUBT, "pending", "deferred"):
            assert not arrived, "a mail arrived, and the ledger says that it didn't"
        if row.doubted and row.state == "sent":
            assert arrived, "a doubt ended without evidence"
        if row.state == "excluded" and row not in self.before:
            assert self._is_true(row, rows), f"somebody is excluded for no reason ({row.reason})"

    def _is_true(self, row: Any, rows: Sequence[Any]) -> bool:
        """Whether the reason of an exclusion holds at this moment, or did within the last step."""
        person = self.people[row.seq]
        taken = [other for other in (*self.before, *rows) if other.seq != row.seq and other.state != "excluded"]
        return {
            Exclusion.NO_OPT_IN: not person.opt_in,
            Exclusion.CONTACT_GONE: person.gone,
            Exclusion.UNSUBSCRIBED: {row.address, person.address} & self.refused != set(),
            Exclusion.PLACEHOLDER_MISSING: row.seq in self.unfilled,
            Exclusion.DUPLICATE: person.address in [other.address_key for other in taken],
        }[Exclusion(row.reason)]

    def refuse(self, address: str, rows: Sequence[Any]) -> None:
        """Somebody has just opted out. What was in hand then may become due again; its next claim looks again."""
        self.refused.add(address)
        due = [row for row in rows if row.address == address and row.state in ("pending", "deferred")]
        assert not due, "who opted out is still due"

    def check_over(self, rows: Sequence[Any]) -> None:
        """A stage that is said to be over."""
        assert not [row for row in rows if row.state in OPEN], "the stage is over, and somebody is still due or in hand"
