"""Inbox and ledger, compared mail by mail."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from benchmarks.chaos.inbox import ChaosInbox
from serienmail.domain.states import DeliveryState
from serienmail.storage.database import Database
from serienmail.storage.tables import delivery

_UNDECIDED = (DeliveryState.PENDING, DeliveryState.DEFERRED, DeliveryState.HANDING_OVER)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the comparison found.

    duplicates: recipients with more than one accepted mail. lost: rows called sent whose mail isn't in the inbox, rows
    nobody decided, and recipients without a row. untrue: any other row that the inbox contradicts. cut: rows in doubt
    whose conversation the inbox broke off; the others must have been in the hands of a worker that was killed.
    """

    states: Counter[str]
    duplicates: int
    lost: int
    untrue: int
    cut: int


async def compare(database: Database, inbox: ChaosInbox, mails: int) -> Verdict:
    """Every row of the only mass mail there is."""
    async with database.read() as connection:
        rows = (await connection.execute(select(delivery))).all()
    return Verdict(
        states=Counter(row.state for row in rows),
        duplicates=sum(len(accepted) > 1 for accepted in inbox.accepted.values()),
        lost=sum(_is_lost(row, inbox) for row in rows) + mails - len(rows),
        untrue=sum(not _is_true(row, inbox) for row in rows) + _strangers(rows, inbox),
        cut=sum(row.state == DeliveryState.UNKNOWN and row.address in inbox.cut for row in rows),
    )


def _is_lost(row: Row[Any], inbox: ChaosInbox) -> bool:
    return row.state in _UNDECIDED or (row.state == DeliveryState.SENT and row.address not in inbox.accepted)


def _is_true(row: Row[Any], inbox: ChaosInbox) -> bool:
    accepted, refused = inbox.accepted.get(row.address, []), inbox.refused.get(row.address, 0)
    match row.state:
        case DeliveryState.SENT:
            return all(message_id == row.message_id for message_id in accepted)
        case DeliveryState.REJECTED:
            return not accepted and refused >= 500
        case DeliveryState.FAILED:
            return not accepted and 400 <= refused < 500  # put off too often; nothing else fails here
        case DeliveryState.UNKNOWN:
            return True  # how many there may be is counted elsewhere
        case _:
            return row.state in _UNDECIDED  # lost, and counted as that; excluded or cancelled was nobody


def _strangers(rows: Sequence[Row[Any]], inbox: ChaosInbox) -> int:
    return len(inbox.accepted.keys() - {row.address for row in rows})
